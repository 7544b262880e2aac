"""The temperature of a model, which calibrates what it predicts on request."""

import keras
import numpy as np
import pytest

from keras_mixvit.models import Ensemble, ManifoldMixUp, MixMo, MixViT, SingleNetwork
from tests.evaluation.linear import Linear
from tests.helpers import images, numpy, tiny_convit

SHAPE = (4, 4, 1)
IMAGES = images(5, SHAPE)


def test_predictions_are_calibrated_on_request_alone():
    model = Linear(SHAPE, 3, members=2)
    plain = model.predict(IMAGES, verbose=0)
    plain_of_two = model.predict(IMAGES, 2, 0)
    np.testing.assert_array_equal(
        model.predict(IMAGES, calibrated=True, verbose=0), plain
    )
    model.temperature = 1.6
    np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), plain)
    found = model.predict(IMAGES, 2, 0, calibrated=True)
    assert found.dtype == np.float32
    # Batches of another size round a product in another order.
    np.testing.assert_allclose(found, plain_of_two / 1.6, rtol=1e-6)


def convit():
    return tiny_convit(image_shape=SHAPE, patch_size=2, num_blocks=1)


MAKERS = {
    "mixvit": lambda **options: MixViT(convit(), 3, **options),
    "mixmo": lambda **options: MixMo(convit(), 3, **options),
    "single_network": lambda **options: SingleNetwork(convit(), 3, **options),
    "manifold_mixup": lambda **options: ManifoldMixUp(
        convit(), 3, num_layers=2, **options
    ),
    "ensemble": lambda **options: Ensemble([SingleNetwork(convit(), 3)], **options),
}


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_every_model_keeps_its_temperature(kind):
    model = MAKERS[kind](temperature=2)
    assert model.temperature == 2.0
    model.temperature = np.float64(0.5)
    config = model.get_config()
    assert config["temperature"] == 0.5
    assert type(config["temperature"]) is float
    assert type(model).from_config(config).temperature == 0.5


@pytest.mark.parametrize("kind", ["mixvit", "ensemble"])
def test_models_saved_without_a_temperature_have_one_of_1(kind):
    config = MAKERS[kind]().get_config()
    del config["temperature"]
    assert type(MAKERS[kind]()).from_config(config).temperature == 1.0


@pytest.mark.parametrize("bad", [0, -1.0, float("inf"), float("nan")])
def test_temperatures_that_are_none_are_refused(bad):
    message = "`temperature` must be a positive finite number. Received: temperature="
    with pytest.raises(ValueError, match=message):
        Linear(SHAPE, 3, temperature=bad)
    model = Linear(SHAPE, 3)
    with pytest.raises(ValueError, match=message):
        model.temperature = bad
    assert model.temperature == 1.0


@pytest.mark.parametrize("ensemble_of", ["logits", "probabilities"])
def test_the_ensemble_of_a_model_is_calibrated_unless_told_otherwise(ensemble_of):
    model = Linear(SHAPE, 3, members=2, ensemble_of=ensemble_of)
    plain = model.predict(IMAGES, verbose=0)
    # Compiled and not, the last bit may differ.
    np.testing.assert_allclose(numpy(model.ensemble()(IMAGES)), plain, rtol=1e-6)
    model.temperature = 1.6
    found = model.ensemble()
    model.temperature = 3.0
    # The graph is that of the time when it was made.
    np.testing.assert_allclose(numpy(found(IMAGES)), plain / 1.6, rtol=1e-5)
    for temperature in (1, 0.25):
        found = numpy(model.ensemble(temperature)(IMAGES))
        np.testing.assert_allclose(found, plain / temperature, rtol=1e-5)


@pytest.mark.parametrize("kind", ["mixvit", "ensemble"])
def test_a_saved_ensemble_is_calibrated(kind, tmp_path):
    model = MAKERS[kind](temperature=2)
    model.ensemble().save(tmp_path / "ensemble.keras")
    found = keras.saving.load_model(tmp_path / "ensemble.keras")
    expected = model.predict(IMAGES, calibrated=True, verbose=0)
    np.testing.assert_allclose(numpy(found(IMAGES)), expected, atol=1e-6)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), "2", True])
def test_an_ensemble_of_a_bad_temperature_is_refused(bad):
    message = "`temperature` must be a positive finite number. Received: temperature="
    with pytest.raises(ValueError, match=message):
        Linear(SHAPE, 3).ensemble(bad)
