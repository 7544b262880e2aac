"""The variants of ViT: a first normalisation, as in CLIP, and a distillation token."""

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork, mixed_pair_dataset
from tests.backbones.test_vit import NO_PREFIX
from tests.helpers import EAGERLY, LOSS, images, numpy, set_weights, tiny_vit
from tests.layers.compiled import call, compiled

CLIP = {"pre_norm": True, "mlp_activation": "quick_gelu", "epsilon": 1e-5}
DISTILLED = {"pooling": "distilled", "num_registers": 0}
VARIANTS = pytest.mark.parametrize("options", [CLIP, DISTILLED])


@pytest.mark.parametrize("prefix", [{}, NO_PREFIX])
def test_every_token_is_normalised_before_the_first_block(prefix):
    backbone = tiny_vit(**CLIP, **prefix)
    set_weights(backbone)
    body = backbone.body
    assert backbone.stem.layers[-1].bias is None
    tokens = keras.Model(body.input, body.get_layer("first_norm").output)
    gain, offset = map(numpy, body.get_layer("first_norm").trainable_variables)
    grid = numpy(call(backbone.stem, images(2)))
    found = numpy(call(tokens, grid)).reshape(2, -1, 16)
    before = grid + numpy(body.get_layer("position").table)
    before = before.reshape(2, -1, 16).astype("float64")
    if not prefix:
        kinds = body.get_layer("prefix_tokens")
        own = np.concatenate([numpy(kinds.token), numpy(kinds.registers)])
        own = np.broadcast_to(own + numpy(kinds.positions), (2, 3, 16))
        before = np.concatenate([own, before], axis=1)
    centred = before - before.mean(-1, keepdims=True)
    spread = np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(
        found, gain * centred / spread + offset, rtol=1e-4, atol=1e-5
    )


def test_without_a_first_normalisation_the_patch_embedding_has_a_bias():
    backbone = tiny_vit()
    assert backbone.stem.layers[-1].bias is not None
    assert "first_norm" not in [layer.name for layer in backbone.body.layers]


def test_a_distilled_network_predicts_the_mean_of_two_heads():
    model = SingleNetwork(tiny_vit(**DISTILLED), 5)
    set_weights(model)
    backbone = model.backbone
    assert backbone.num_prefix_tokens == 2
    assert backbone.trunk.output.shape == (None, 32)
    trunk = backbone.trunk
    last = keras.Model(trunk.input, trunk.get_layer("class_block_1").output)

    def run(pixels):
        tokens = last(backbone.body(backbone.stem(pixels)))
        return trunk.get_layer("norm")(tokens), model(pixels)

    tokens, found = map(numpy, compiled(run)(images(3)))
    kernel, bias = (numpy(weight)[0] for weight in model.heads.weights)
    heads = [tokens[:, i] @ (2 * kernel[16 * i :][:16]) + bias for i in range(2)]
    np.testing.assert_allclose(found, (heads[0] + heads[1]) / 2, rtol=1e-4, atol=1e-5)
    assert np.abs(heads[0] - heads[1]).max() > 0.1


@VARIANTS
def test_a_saved_variant_gives_the_same_features(options, tmp_path):
    backbone = tiny_vit(**options)
    set_weights(backbone)
    backbone.save(tmp_path / "vit.keras")
    loaded = keras.saving.load_model(tmp_path / "vit.keras")
    assert loaded.get_config() == backbone.get_config()
    x = images(2)
    np.testing.assert_allclose(numpy(loaded(x)), numpy(backbone(x)), atol=1e-6)


@VARIANTS
def test_recomputed_blocks_give_the_same_features(options):
    plain, again = tiny_vit(**options), tiny_vit(**options, recompute=True)
    set_weights(plain)
    set_weights(again)
    x = images(2)
    found = numpy(call(again, x, training=True))
    np.testing.assert_allclose(found, numpy(call(plain, x)), atol=1e-5)


@VARIANTS
def test_mixvit_learns_with_every_variant(options):
    model = MixViT(tiny_vit(num_blocks=1, num_class_blocks=1, **options), 3)
    before = [numpy(weight) for weight in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), LOSS, **EAGERLY)
    pairs = mixed_pair_dataset(
        images(8), np.arange(8) % 3, model.mask_sampler(), epochs=1, batch_size=8
    )
    history = model.fit(pairs, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    for old, weight in zip(before, model.trainable_variables, strict=True):
        # A bias of keys changes no attention weight.
        assert np.any(old != numpy(weight)) or "key" in weight.path, weight.path
    assert model.predict(images(2), verbose=0).shape == (2, 3)
    maps = model.attention_maps(images(2))
    tokens = 6 + model.backbone.num_prefix_tokens
    assert maps["block_0"].shape == (2, 1, 4, tokens, tokens)
