"""Quantized models and those with LoRA keep their predictions in files."""

import gc

import keras
import numpy as np
import pytest

from keras_mixvit import CaiT, ConViT, Ensemble, MixViT, SingleNetwork, load_model
from keras_mixvit.models import _quantized_layers as quantized_layers
from keras_mixvit.models._frozen_layers import layers_of
from tests.helpers import images, set_weights

X = images(4, (8, 8, 1))
MAKE = {
    "convit": lambda: SingleNetwork(ConViT((8, 8, 1), 4, 16, 4, 1, 1), 5),
    "mixvit": lambda: MixViT(
        CaiT((8, 8, 1), 4, 16, 4, 1, 1), 5, source_attribution="encoding"
    ),
}
pytestmark = pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")


@pytest.fixture(autouse=True)
def _frozen():
    """Spares what earlier tests left from the many collections of `quantize`."""
    gc.collect()
    gc.freeze()


def made(name, seed=0):
    model = MAKE[name]()
    set_weights(model, seed)
    return model


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
@pytest.mark.parametrize("name", MAKE)
def test_a_quantized_model_predicts_the_same_after_loading(name, mode, tmp_path):
    model = made(name)
    before = model.predict(X, verbose=0)
    model.quantize(mode)
    expected = model.predict(X, verbose=0)
    # Something was rounded, and not much is lost.
    difference = np.abs(expected - before).max() / np.abs(before).max()
    assert 0 < difference < 0.3
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), expected, atol=1e-6)
    # Once more, from what was loaded.
    loaded.save(tmp_path / "again.keras")
    again = load_model(tmp_path / "again.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), expected, atol=1e-6)


def test_an_ensemble_of_quantized_models_is_saved(tmp_path):
    models = [made("mixvit", seed) for seed in (0, 1)]
    models[0].quantize("int8")
    ensemble = Ensemble(models)
    expected = ensemble.predict(X, verbose=0)
    ensemble.save(tmp_path / "ensemble.keras")
    loaded = load_model(tmp_path / "ensemble.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), expected, atol=1e-6)


def test_a_graph_of_a_quantized_model_is_not_written(tmp_path):
    model = made("convit")
    model.quantize("int8")
    text = r"`model` must not be a quantized graph: save the model that it belongs"
    with pytest.raises(ValueError, match=text):
        model.ensemble().save(tmp_path / "graph.keras")
    assert not list(tmp_path.iterdir())


def test_a_mode_that_cannot_be_restored_is_not_written(tmp_path, monkeypatch):
    model = made("convit")
    model.quantize("int8")
    monkeypatch.setattr(quantized_layers, "MODES", ("float8",))
    text = r"`model` must be quantized as one of float8 to be saved\. Received: layer='"
    with pytest.raises(ValueError, match=text):
        model.save(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", MAKE)
def test_adapted_weights_are_part_of_the_file(name, tmp_path):
    model = made(name)
    adapted = [layer for layer in layers_of(model) if hasattr(layer, "enable_lora")]
    for layer in adapted:
        layer.enable_lora(2)
        for variable in layer.trainable_variables:
            if variable.name.startswith("lora"):
                values = np.random.default_rng(1).normal(size=variable.shape)
                variable.assign(0.1 * values)
    assert adapted
    expected = model.predict(X, verbose=0)
    assert np.abs(expected - made(name).predict(X, verbose=0)).max() > 1e-3
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), expected, atol=1e-5)


def test_exports_of_a_quantized_model_are_of_the_graph():
    model = made("convit")
    expected = model.predict(X, verbose=0)
    model.quantize("int8")
    found = keras.ops.convert_to_numpy(model.ensemble()(X))
    np.testing.assert_allclose(found, expected, atol=0.3 * np.abs(expected).max())
