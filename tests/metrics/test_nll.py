import numpy as np
import pytest

from keras_mixvit.metrics import NLL
from tests.metrics.small import (
    LABELS,
    MEMBER_LABELS,
    MEMBER_LOGITS,
    RNG,
    plain_nll,
    result,
)

LOGITS = RNG.normal(size=(5, 3)).astype("float32")


def test_nll_of_integer_labels():
    expected = plain_nll(LABELS, LOGITS).mean()
    assert result(NLL(), LABELS, LOGITS) == pytest.approx(expected, rel=1e-5)


def test_nll_of_soft_labels_counts_them_as_given():
    soft = RNG.dirichlet(np.ones(3), size=5)
    expected = plain_nll(soft, LOGITS).mean()
    assert result(NLL(), soft, LOGITS) == pytest.approx(expected, rel=1e-5)


def test_nll_of_one_hot_labels_is_that_of_integers():
    one_hot = np.eye(3)[LABELS]
    expected = result(NLL(), LABELS, LOGITS)
    assert result(NLL(), one_hot, LOGITS) == pytest.approx(expected, rel=1e-6)


def test_nll_of_every_subnetwork():
    expected = plain_nll(MEMBER_LABELS, MEMBER_LOGITS).mean()
    found = result(NLL(), MEMBER_LABELS, MEMBER_LOGITS)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(5,), (5, 2)])
def test_nll_weights_samples_or_subnetworks(shape):
    weights = RNG.random(shape)
    values = plain_nll(MEMBER_LABELS, MEMBER_LOGITS)
    if len(shape) == 1:
        values = values.mean(axis=1)
    found = result(NLL(), MEMBER_LABELS, MEMBER_LOGITS, sample_weight=weights)
    assert found == pytest.approx(np.average(values, weights=weights), rel=1e-5)


@pytest.mark.parametrize("scale", [1e3, 1e30])
def test_nll_of_extreme_logits_is_finite_and_exact(scale):
    logits = scale * np.array([[1.0, -1.0], [1.0, -1.0]])
    right = result(NLL(), np.array([0, 0]), logits)
    wrong = result(NLL(), np.array([1, 1]), logits)
    assert right == 0
    assert wrong == pytest.approx(2 * scale, rel=1e-6)


def test_nll_of_half_precision_logits_is_computed_in_float32():
    logits = np.array([[12.0, 0.0]], "float16")
    found = result(NLL(), np.array([0]), logits)
    assert found == pytest.approx(np.log1p(np.exp(-12.0)), rel=2e-2)


def test_nll_takes_lists():
    found = result(NLL(), [0, 1], [[0.0, 0.0], [0.0, 0.0]])
    assert found == pytest.approx(np.log(2), rel=1e-6)


def test_nll_is_a_mean_over_all_updates_and_can_be_reset():
    metric = NLL()
    metric.update_state(LABELS[:2], LOGITS[:2])
    metric.update_state(LABELS[2:], LOGITS[2:])
    expected = plain_nll(LABELS, LOGITS)
    assert float(metric.result()) == pytest.approx(expected.mean(), rel=1e-5)
    metric.reset_state()
    found = result(metric, LABELS[:1], LOGITS[:1])
    assert found == pytest.approx(expected[0], rel=1e-5)
