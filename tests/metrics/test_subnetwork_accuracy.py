import keras
import numpy as np
import pytest

from keras_mixvit.backbones import ConViT
from keras_mixvit.metrics import NLL, SubnetworkAccuracy
from keras_mixvit.models import MixViT
from tests.helpers import LOSS
from tests.metrics.small import (
    LABELS,
    MEMBER_LABELS,
    MEMBER_LOGITS,
    RNG,
    plain_nll,
    result,
)

RIGHT = np.argmax(MEMBER_LOGITS, axis=-1) == MEMBER_LABELS


def test_subnetwork_accuracy_is_the_mean_over_subnetworks():
    found = result(SubnetworkAccuracy(), MEMBER_LABELS, MEMBER_LOGITS)
    assert found == pytest.approx(RIGHT.mean())


@pytest.mark.parametrize("subnetwork", [0, 1])
def test_subnetwork_accuracy_of_one(subnetwork):
    metric = SubnetworkAccuracy(subnetwork)
    found = result(metric, MEMBER_LABELS, MEMBER_LOGITS)
    assert found == pytest.approx(RIGHT[:, subnetwork].mean())


@pytest.mark.parametrize("subnetwork", [None, 0, 1])
def test_subnetwork_accuracy_of_soft_labels_counts_the_likeliest(subnetwork):
    soft = 0.5 * np.eye(3)[MEMBER_LABELS] + 0.5 / 3
    found = result(SubnetworkAccuracy(subnetwork), soft, MEMBER_LOGITS)
    assert found == result(SubnetworkAccuracy(subnetwork), MEMBER_LABELS, MEMBER_LOGITS)


@pytest.mark.parametrize("subnetwork", [None, 0, 1])
def test_subnetwork_accuracy_weights_samples(subnetwork):
    weights = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    metric = SubnetworkAccuracy(subnetwork)
    found = result(metric, MEMBER_LABELS, MEMBER_LOGITS, sample_weight=weights)
    values = RIGHT.mean(axis=1) if subnetwork is None else RIGHT[:, subnetwork]
    assert found == pytest.approx(np.average(values, weights=weights))


def test_subnetwork_accuracy_weights_subnetworks():
    weights = RNG.random((5, 2))
    metric = SubnetworkAccuracy()
    found = result(metric, MEMBER_LABELS, MEMBER_LOGITS, sample_weight=weights)
    assert found == pytest.approx(np.average(RIGHT, weights=weights), rel=1e-5)


def test_subnetwork_accuracy_takes_lists_and_names():
    metric = SubnetworkAccuracy(subnetwork=1, name="second", dtype="float32")
    assert metric.name == "second"
    assert result(metric, [[0, 0]], [[[2.0, 1.0], [1.0, 2.0]]]) == 0
    assert SubnetworkAccuracy().name == "subnetwork_accuracy"
    assert NLL().name == "nll"


def test_subnetwork_accuracy_can_be_reset():
    metric = SubnetworkAccuracy()
    metric.update_state(MEMBER_LABELS, MEMBER_LOGITS)
    metric.reset_state()
    found = result(metric, MEMBER_LABELS[:1], MEMBER_LOGITS[:1])
    assert found == pytest.approx(RIGHT[:1].mean())


@pytest.fixture
def compiled():
    model = MixViT(ConViT((4, 4, 1), 2, 8, 2, 1, 1), num_classes=3)
    model.compile(
        "sgd",
        LOSS,
        metrics=[
            SubnetworkAccuracy(),
            SubnetworkAccuracy(0, name="first"),
            SubnetworkAccuracy(1, name="second"),
        ],
        weighted_metrics=[NLL()],
        run_eagerly=keras.config.backend() != "jax",
    )
    return model


IMAGES = RNG.random((5, 4, 4, 1)).astype("float32")


def test_compiled_on_images_they_measure_the_ensemble_and_its_subnetworks(compiled):
    scores = compiled.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
    logits = compiled.predict(IMAGES, verbose=0)
    members = compiled.inference_network.predict(IMAGES, verbose=0)
    right = np.argmax(members, axis=-1) == LABELS[:, None]
    assert scores["nll"] == pytest.approx(plain_nll(LABELS, logits).mean(), rel=1e-5)
    assert scores["subnetwork_accuracy"] == pytest.approx(right.mean())
    assert scores["first"] == pytest.approx(right[:, 0].mean())
    assert scores["second"] == pytest.approx(right[:, 1].mean())


def test_compiled_on_mixed_pairs_nll_has_the_weights_of_the_loss(compiled):
    sampler = compiled.mask_sampler()
    masks = sampler.draw(np.random.default_rng(3), 5, (4, 4), progress=1.0)
    masks[0] = 0.5
    inputs = {"images": np.stack([IMAGES, IMAGES[::-1]], axis=1), "masks": masks}
    labels = np.stack([LABELS, LABELS[::-1]], axis=1)
    scores = compiled.evaluate(inputs, labels, verbose=0, return_dict=True)
    logits = compiled.predict(inputs, verbose=0)
    nll = np.average(plain_nll(labels, logits), weights=masks.mean(axis=(2, 3)))
    right = np.argmax(logits, axis=-1) == labels
    assert scores["nll"] == pytest.approx(nll, rel=1e-5)
    assert scores["subnetwork_accuracy"] == pytest.approx(right.mean())
    assert scores["first"] == pytest.approx(right[:, 0].mean())
