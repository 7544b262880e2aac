"""Files written on one backend are the same model on every other."""

import zipfile

import keras
import numpy as np
import pytest

from keras_mixvit import ConViT, MixViT, SingleNetwork, load_model
from keras_mixvit.models import MIMOModel
from tests.helpers import (
    EAGERLY,
    LOSS,
    images,
    numpy,
    set_weights,
    tiny_cait,
    tiny_convit,
    tiny_vit,
)
from tests.saved.make_saved_models import (
    HERE,
    VARIANTS,
    predictions,
    two_more_losses,
)


@pytest.mark.parametrize("written_on", ["jax", "tensorflow", "torch"])
def test_files_of_every_backend_predict_and_go_on_training(written_on):
    model = load_model(HERE / f"{written_on}.keras")
    with np.load(HERE / f"{written_on}.npz", allow_pickle=False) as expected:
        np.testing.assert_allclose(
            predictions(model), expected["predictions"], atol=1e-5
        )
        assert int(model.optimizer.iterations) == 2
        # The step after next depends on the moments of AdamW.
        model.run_eagerly = EAGERLY["run_eagerly"]
        model.reset_metrics()
        losses = two_more_losses(model)
        np.testing.assert_allclose(losses, expected["losses"], rtol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_stored_variants_predict_on_every_backend(name):
    model = load_model(HERE / f"variant_{name}.keras")
    with np.load(HERE / "variants.npz", allow_pickle=False) as expected:
        np.testing.assert_allclose(predictions(model), expected[name], atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"source_attribution": "encoding", "attribution_position": "early"},
        {"inference": "alternating", "alternation": "checkerboard", "seed": 4},
        {"input_mixing": "all_tokens", "num_subnetworks": 3},
        {"source_attribution": None, "ensemble_of": "probabilities"},
    ],
)
@pytest.mark.parametrize("backbone", [tiny_convit, tiny_cait, tiny_vit])
def test_round_trip_keeps_every_arrangement(options, backbone, tmp_path):
    model = MixViT(backbone(mean=(0.1, 0.2, 0.3), std=0.5), 5, **options)
    set_weights(model)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    x = images(3)
    np.testing.assert_allclose(numpy(loaded(x)), numpy(model(x)), atol=1e-6)


def test_weights_fit_every_inference_scheme(tmp_path):
    parallel = MixViT(tiny_convit(), 5)
    set_weights(parallel)
    path = tmp_path / "model.weights.h5"
    parallel.save_weights(path)
    model = MixViT(tiny_convit(), 5, inference="sum", attribution_position="early")
    model.load_weights(path)
    expected = [numpy(v) for v in parallel.trainable_variables]
    actual = [numpy(v) for v in model.trainable_variables]
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_ensemble_round_trip(tmp_path):
    model = MixViT(tiny_convit(), 5, ensemble_of="probabilities")
    set_weights(model)
    model.ensemble().save(tmp_path / "ensemble.keras")
    ensemble = keras.saving.load_model(tmp_path / "ensemble.keras")
    x = images(3)
    np.testing.assert_allclose(numpy(ensemble(x)), numpy(model(x)), atol=1e-6)


def test_uncompiled_models_load_uncompiled(tmp_path):
    SingleNetwork(tiny_convit(), 5).save(tmp_path / "single.keras")
    assert not load_model(tmp_path / "single.keras").compiled


def test_damaged_missing_and_foreign_files_are_told_in_one_sentence(tmp_path):
    wanted = r"`path` must be .*\.keras file.*\. Received: path="
    with pytest.raises(ValueError, match=wanted):
        load_model(tmp_path / "missing.keras")
    (tmp_path / "text.keras").write_text("not a model")
    with pytest.raises(ValueError, match=wanted):
        load_model(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as file:
        file.writestr("nothing.txt", "")
    with pytest.raises(ValueError, match=wanted):
        load_model(tmp_path / "empty.keras")
    whole = (HERE / "torch.keras").read_bytes()
    (tmp_path / "half.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=wanted):
        load_model(tmp_path / "half.keras")
    foreign = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    foreign.save(tmp_path / "foreign.keras")
    with pytest.raises(ValueError, match=r"of this library. Received: .*Sequential"):
        load_model(tmp_path / "foreign.keras")


def test_models_that_carry_code_are_not_run(tmp_path):
    inputs = keras.Input((2,))
    outputs = keras.layers.Lambda(lambda x: x + 1)(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "code.keras")
    with pytest.raises(ValueError, match=r"`path` must be a .keras file"):
        load_model(tmp_path / "code.keras")


def test_loss_scaled_and_accumulating_optimizers_come_back(tmp_path):
    model = SingleNetwork(tiny_convit(), 5)
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2)
    )
    model.compile(optimizer, LOSS)
    optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras").optimizer
    assert isinstance(loaded, keras.optimizers.LossScaleOptimizer)
    assert loaded.inner_optimizer.get_config()["gradient_accumulation_steps"] == 2


def test_loaded_models_are_mimo_models():
    assert isinstance(load_model(HERE / "jax.keras"), MIMOModel)
    assert isinstance(load_model(HERE / "jax.keras").backbone, ConViT)
