"""Several models that predict as one."""

import re

import keras
import numpy as np
import pytest

from keras_mixvit import load_model, mixed_pair_dataset
from keras_mixvit.backbones import WideResNet
from keras_mixvit.masks import ConstantMasks
from keras_mixvit.metrics import NLL, SubnetworkAccuracy
from keras_mixvit.models import Ensemble, MixMo, MixViT, SingleNetwork
from tests.helpers import EAGERLY, LOSS, images, numpy, set_weights, tiny_convit
from tests.layers.compiled import call, compiled

SHAPE = (8, 8, 1)
IMAGES = images(6, SHAPE)
LABELS = np.arange(6) % 3


def convit(**options):
    small = {"image_shape": SHAPE, "num_blocks": 1, "num_class_blocks": 1}
    return tiny_convit(**small, **options)


def single_network(seed=0, classes=3, **options):
    model = SingleNetwork(convit(**options), classes)
    set_weights(model, seed)
    return model


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.fixture(scope="module")
def models():
    """Models of all families, with 1, 3 and 2 subnetworks."""
    found = [
        SingleNetwork(WideResNet(SHAPE, depth=10, widening=1), 3),
        MixViT(convit(), 3, 3),
        MixMo(convit(), 3, 2),
    ]
    for seed, model in enumerate(found):
        set_weights(model, seed)
    return found


@pytest.fixture(scope="module")
def members(models):
    """Logits `(n, 6, K)` of all subnetworks, each model asked on its own."""

    def run(x):
        return [model.inference_network(x) for model in models]

    return np.concatenate([numpy(logits) for logits in compiled(run)(IMAGES)], axis=1)


def means(members):
    return {
        "logits": softmax(members.mean(axis=1)),
        "probabilities": softmax(members).mean(axis=1),
    }


@pytest.mark.parametrize("ensemble_of", ["logits", "probabilities"])
def test_the_prediction_is_the_mean_over_the_subnetworks_of_all_models(
    ensemble_of, models, members
):
    ensemble = Ensemble(models, ensemble_of)
    assert ensemble.num_subnetworks == members.shape[1] == 6
    logits = numpy(call(ensemble, IMAGES))
    expected = means(members)
    np.testing.assert_allclose(softmax(logits), expected[ensemble_of], atol=1e-6)
    if ensemble_of == "logits":
        np.testing.assert_allclose(logits, members.mean(axis=1), atol=1e-5)
    assert np.abs(expected["logits"] - expected["probabilities"]).max() > 1e-3


def test_it_is_evaluated_as_one_model(models, members):
    ensemble = Ensemble(models, "probabilities")
    metrics = [
        "accuracy",
        NLL(),
        SubnetworkAccuracy(),
        SubnetworkAccuracy(4, name="fifth"),
    ]
    ensemble.compile("sgd", LOSS, metrics=metrics, **EAGERLY)
    results = ensemble.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
    p = means(members)["probabilities"]
    predicted = ensemble.predict(IMAGES, batch_size=6, verbose=0)
    np.testing.assert_allclose(softmax(predicted), p, atol=1e-6)
    nll = -np.log(p[np.arange(6), LABELS]).mean()
    right = members.argmax(axis=-1) == LABELS[:, None]
    assert results["nll"] == pytest.approx(nll, rel=1e-4)
    assert results["loss"] == pytest.approx(nll, rel=1e-4)
    assert results["accuracy"] == pytest.approx(np.mean(p.argmax(1) == LABELS))
    assert results["subnetwork_accuracy"] == pytest.approx(right.mean())
    assert results["fifth"] == pytest.approx(right[:, 4].mean())


def test_one_file_holds_all_models(models, members, tmp_path):
    Ensemble(models, name="three").save(tmp_path / "ensemble.keras")
    again = load_model(tmp_path / "ensemble.keras")
    assert type(again) is Ensemble
    assert (again.name, again.ensemble_of) == ("three", "logits")
    assert [type(model) for model in again.models] == [type(model) for model in models]
    predicted = numpy(call(again, IMAGES))
    expected = means(members)["logits"]
    np.testing.assert_allclose(softmax(predicted), expected, atol=1e-6)


def test_a_trained_and_compiled_ensemble_survives_its_file(tmp_path):
    models = [single_network(seed) for seed in range(2)]
    for model in models:
        model.compile("sgd", LOSS)
    ensemble = Ensemble(models, "probabilities")
    ensemble.compile("sgd", LOSS, metrics=[SubnetworkAccuracy()])
    ensemble.save(tmp_path / "ensemble.keras")
    again = load_model(tmp_path / "ensemble.keras")
    assert again.compiled
    assert again.ensemble_of == "probabilities"
    for weight, old in zip(again.get_weights(), ensemble.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, old)


def test_the_functional_ensemble_is_a_classifier_of_images(tmp_path):
    ensemble = Ensemble([single_network(0), single_network(1)], "probabilities")
    functional = ensemble.ensemble()
    assert functional.input_shape == (None, *SHAPE)
    assert functional.output_shape == (None, 3)
    functional.save(tmp_path / "functional.keras")
    again = keras.saving.load_model(tmp_path / "functional.keras")
    expected = numpy(call(ensemble, IMAGES))
    np.testing.assert_allclose(numpy(call(again, IMAGES)), expected, atol=1e-6)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="is quickest there")
def test_it_is_exported_as_one_model(tmp_path):
    import tensorflow as tf

    ensemble = Ensemble([single_network(0), single_network(1)])
    ensemble.export(tmp_path / "ensemble", verbose=False)
    program = tf.saved_model.load(tmp_path / "ensemble")
    np.testing.assert_allclose(
        numpy(program.serve(IMAGES)), numpy(ensemble(IMAGES)), atol=1e-5
    )


def test_weights_are_those_of_the_models():
    models = [single_network(0), single_network(1)]
    ensemble = Ensemble(models)
    own = [variable.path for model in models for variable in model.variables]
    assert len(ensemble.variables) == len(own)
    assert ensemble.count_params() == 2 * models[0].count_params()
    biases = np.array([[1.0, 0.0, -2.0], [0.5, 3.0, 0.0]], "float32")
    for model, bias in zip(models, biases, strict=True):
        model.heads.kernel.assign(np.zeros(model.heads.kernel.shape))
        model.heads.bias.assign(bias[None])
    predicted = numpy(call(ensemble, IMAGES))
    np.testing.assert_allclose(predicted, [biases.mean(axis=0)] * 6, atol=1e-6)


def test_an_ensemble_of_one_model_is_that_model():
    model = single_network()
    np.testing.assert_allclose(
        numpy(call(Ensemble([model]), IMAGES)), numpy(call(model, IMAGES)), atol=1e-6
    )


def test_ensembles_may_be_members():
    inner = Ensemble([single_network(0), single_network(1)])
    outer = Ensemble([inner, single_network(2)])
    assert outer.num_subnetworks == 3
    assert outer.inference_network.output.shape == (None, 3, 3)


def test_the_summary_lists_the_models(models):
    lines = []
    Ensemble(models).summary(
        line_length=80, print_fn=lambda text, **_: lines.append(text)
    )
    text = "\n".join(lines)
    for model in models:
        assert f"{model.name} ({type(model).__name__})" in text
    assert f"{sum(model.count_params() for model in models):,}" in text


def test_training_is_left_to_the_models():
    models = [single_network(0), single_network(1)]
    ensemble = Ensemble(models)
    ensemble.compile("sgd", LOSS, **EAGERLY)
    assert not ensemble.learns_from_images
    text = (
        "`models` must be trained one by one, before you make an ensemble of "
        "them. "
        "Received: models=['single_network', 'single_network']"
    )
    data = mixed_pair_dataset(
        IMAGES, LABELS, ConstantMasks(4, 2), epochs=1, batch_size=2
    )
    for arguments in ((IMAGES, LABELS), (data,)):
        with pytest.raises(ValueError) as error:  # noqa: PT011
            ensemble.fit(*arguments)
        assert str(error.value) == text
    before = [weight.copy() for weight in ensemble.get_weights()]
    with pytest.raises(ValueError, match="`models` must be trained one by one"):
        ensemble.train_on_batch(IMAGES, LABELS)
    for weight, old in zip(ensemble.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_attention_maps_are_those_of_the_models():
    models = [single_network(0), single_network(1)]
    assert not hasattr(Ensemble(models), "attention_maps")
    assert models[0].attention_maps


def twice():
    model = single_network()
    return [model, model]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            list,
            r"`models` must be a list of models of this library\. Received: models=\[",
        ),
        (
            lambda: [single_network(), keras.Sequential()],
            r"`models` must be a list of models of this library\. Received: models=\[",
        ),
        (
            lambda: ["model.keras"],
            r"`models` must be a list of models of this library\. "
            r"Received: models=\['model\.keras'\]",
        ),
        (
            twice,
            r"`models` must not hold one model twice\. "
            r"Received: models=\['single_network', 'single_network'\]",
        ),
        (
            lambda: [single_network(), single_network(classes=4)],
            r"`models` must have the same images \(H, W, C\) and classes K\. "
            r"Received: forms=\[\(8, 8, 1, 3\), \(8, 8, 1, 4\)\]",
        ),
        (
            lambda: [single_network(), SingleNetwork(tiny_convit(), 3)],
            r"`models` must have the same images \(H, W, C\) and classes K\. "
            r"Received: forms=\[\(8, 8, 1, 3\), \(8, 12, 3, 3\)\]",
        ),
    ],
)
def test_models_that_do_not_belong_together_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        Ensemble(make())


def test_a_wrong_mean_is_refused():
    text = (
        r"`ensemble_of` must be one of 'logits', 'probabilities'\. "
        r"Received: ensemble_of='votes'"
    )
    with pytest.raises(ValueError, match=text):
        Ensemble([single_network()], "votes")


def test_mixed_pairs_are_refused():
    ensemble = Ensemble(
        [SingleNetwork(tiny_convit(num_blocks=1, num_class_blocks=1), 3)]
    )
    ensemble.compile("sgd", LOSS)
    pair = {
        "images": np.zeros((4, 1, 8, 12, 3), "float32"),
        "masks": np.ones((4, 1, 2, 3), "float32"),
    }
    message = re.escape(
        "`x` must be images: an ensemble takes no mixed pairs. Received:"
    )
    with pytest.raises(ValueError, match=message):
        ensemble(pair)
    with pytest.raises(ValueError, match=message):
        ensemble.evaluate(pair, np.zeros((4, 1), "int32"), verbose=0)


@pytest.mark.parametrize("models", [None, "model"])
def test_what_is_no_list_of_models_is_refused(models):
    message = "`models` must be a list of models of this library. Received: models="
    with pytest.raises(ValueError, match=re.escape(message)):
        Ensemble(models)
