import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import RandomPatchCutMix
from keras_mixvit.layers._random_patch_cutmix import beta_quantile
from keras_mixvit.masks import PatchCutMix
from tests.helpers import images, numpy
from tests.layers.references import mixed_reference


@pytest.mark.parametrize("members", [2, 3])
def test_masks_are_distributed_as_those_of_the_sampler(members):
    count = 20_000
    inputs = np.zeros((count, members, 8, 8, 1), "uint8")
    masks = numpy(RandomPatchCutMix(patch_size=2, seed=0)(inputs)[1])
    assert set(np.unique(masks)) == {0.0, 1.0}
    np.testing.assert_array_equal(masks.sum(axis=1), 1.0)
    assert masks.any(axis=(2, 3)).sum(axis=1).max() == 2
    ratios = masks.mean(axis=(2, 3))
    np.testing.assert_allclose(ratios.mean(axis=0), 1 / members, atol=0.01)
    sampler = PatchCutMix(2, members, owner_per="sample")
    expected = sampler.draw(np.random.default_rng(1), count, (8, 8))
    levels = np.arange(17) / 16
    for member in range(members):
        # Distribution functions, where two such samples differ by 0.01 on average.
        found, wanted = (
            (m[:, member].mean(axis=(1, 2))[:, None] <= levels).mean(axis=0)
            for m in (masks, expected)
        )
        np.testing.assert_allclose(found, wanted, atol=0.02)
    np.testing.assert_allclose(masks.mean(axis=0), expected.mean(axis=0), atol=0.02)


def test_averaged_masks_are_shares_between_0_and_1():
    inputs = np.zeros((200, 2, 8, 8, 1), "uint8")
    layer = RandomPatchCutMix(patch_size=4, binarize=False, seed=0)
    masks = numpy(layer(inputs)[1])
    assert np.any((masks > 0) & (masks < 1))
    np.testing.assert_allclose(masks.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(masks * 16, np.round(masks * 16), atol=1e-5)


def test_seed_fixes_the_draws_and_calls_differ():
    inputs = np.zeros((40, 2, 8, 8, 1), "uint8")

    def two_draws(seed):
        layer = RandomPatchCutMix(patch_size=2, seed=seed)
        return [numpy(layer(inputs)[1]).tolist() for _ in range(2)]

    first, second = two_draws(3)
    assert first != second
    assert two_draws(3) == [first, second]
    assert two_draws(4)[0] != first


@pytest.mark.parametrize("training", [True, False])
def test_masks_are_drawn_in_training_and_inference_alike(training):
    inputs = np.random.default_rng(0).random((40, 2, 8, 8, 1)).astype("float32")
    layer = RandomPatchCutMix(patch_size=2, seed=3)
    mixed, masks = (numpy(x) for x in layer(inputs, training=training))
    np.testing.assert_allclose(
        mixed, mixed_reference(inputs, masks, 2), rtol=1e-5, atol=1e-6
    )
    assert 0 < masks[:, 0].mean() < 1


def test_compiled_model_draws_afresh_in_every_call():
    inputs = keras.Input((2, 8, 12, 3))
    layer = RandomPatchCutMix(patch_size=4, seed=1)
    model = keras.Model(inputs, layer(inputs))
    model.compile(jit_compile=keras.config.backend() != "torch")
    x = images(30 * 2).reshape(30, 2, 8, 12, 3)
    (mixed, masks), (_, again) = (model.predict(x, verbose=0) for _ in range(2))
    np.testing.assert_allclose(mixed, mixed_reference(x, masks), rtol=1e-5, atol=1e-6)
    assert set(np.unique(masks)) == {0.0, 1.0}
    assert np.any(masks != again)


@pytest.mark.parametrize(
    ("alpha", "quantile"),
    [
        (0.5, lambda u: np.sin(np.pi * u / 2) ** 2),
        (1.0, lambda u: u),
        (2.0, lambda u: 0.5 - np.sin(np.arcsin(1 - 2 * u) / 3)),
    ],
)
def test_beta_quantile_equals_the_closed_form(alpha, quantile):
    u = (np.arange(4000) + 0.5).astype("float32") / 4000
    found = numpy(beta_quantile(ops.convert_to_tensor(u), alpha))
    np.testing.assert_allclose(found, quantile(u), atol=1e-3)
    assert np.all(np.diff(found) >= 0)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 100.0])
def test_beta_quantile_has_the_moments_of_the_distribution(alpha):
    u = (np.arange(20_000) + 0.5) / 20_000
    ratios = numpy(beta_quantile(ops.convert_to_tensor(u.astype("float32")), alpha))
    assert np.all(np.isfinite(ratios))
    np.testing.assert_allclose(ratios.mean(), 0.5, atol=1e-3)
    np.testing.assert_allclose(ratios.var(), 1 / (8 * alpha + 4), rtol=0.01)


def test_a_layer_in_a_model_that_is_trained_is_saved_and_loaded(tmp_path):
    inputs = keras.Input((2, 8, 12, 3), name="images")
    layer = RandomPatchCutMix(patch_size=4, alpha=1.5, seed=2, name="cutmix")
    mixed, masks = layer(inputs)
    shares = ops.mean(masks, axis=(2, 3))
    model = keras.Model(inputs, keras.layers.Flatten()(mixed)[:, :2] + shares)
    model.compile("sgd", "mse", jit_compile=keras.config.backend() != "torch")
    x = images(6 * 2).reshape(6, 2, 8, 12, 3)
    history = model.fit(x, np.zeros((6, 2)), epochs=1, verbose=0).history
    assert np.isfinite(history["loss"][0])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("cutmix").get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"patch_size": 0},
            "`patch_size` must be an integer of at least 1. Received: patch_size=0",
        ),
        (
            {"patch_size": 4, "alpha": 0.0},
            "`alpha` must be a positive finite number. Received: alpha=0.0",
        ),
        (
            {"patch_size": 4, "alpha": float("nan")},
            "`alpha` must be a positive finite number. Received: alpha=nan",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        RandomPatchCutMix(**arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (3, 8, 12, 3),
            "`images` must have shape (B, M, H, W, C). Received: shape=(3, 8, 12, 3)",
        ),
        (
            (3, 2, 8, 9, 3),
            "`patch_size` must divide the image size. "
            "Received: patch_size=4, image_size=(8, 9)",
        ),
    ],
)
def test_images_of_wrong_shape_are_refused(shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        RandomPatchCutMix(4)(np.zeros(shape, "float32"))
