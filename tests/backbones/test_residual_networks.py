"""The convolutional networks of MixMo: counts, structure, outputs.

What `make_residual_outputs` stores was computed by networks of plain PyTorch
with the same drawn weights.
"""

import itertools
import re

import keras
import numpy as np
import pytest

from keras_mixvit import MixMo, MixViT, SingleNetwork
from keras_mixvit.convert._mixmo import load_mixmo_weights
from tests.backbones.residual_cases import (
    NUM_CLASSES,
)
from tests.backbones.residual_networks import (
    EVERY_NETWORK,
    NETWORKS,
    SMALL,
    loaded_network,
    shaped,
    tiny,
    unallocated,
    weights,
)
from tests.helpers import images, numpy
from tests.layers.compiled import call, compiled


def test_every_parameter_of_a_model_is_once_in_the_l2_loss():
    model = MixMo(tiny(l2=3e-4), 5)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.standard_normal(variable.shape))
    squares = sum(np.sum(numpy(v) ** 2.0) for v in model.trainable_variables)
    losses = [float(numpy(loss)) for loss in model.losses]
    assert len(losses) == len(model.trainable_variables)
    np.testing.assert_allclose(sum(losses), 3e-4 * squares, rtol=1e-4)


@EVERY_NETWORK
def test_l2_reaches_every_layer(network):
    model = unallocated(
        lambda: MixMo(NETWORKS[network]((16, 16, 3), l2=0.5), NUM_CLASSES)
    )
    for variable in model.trainable_variables:
        assert float(variable.regularizer.l2) == 0.5, variable.path
    plain = unallocated(lambda: MixMo(NETWORKS[network]((16, 16, 3)), NUM_CLASSES))
    assert {variable.regularizer for variable in plain.trainable_variables} == {None}


def test_stages_and_apply_methods_chain_to_the_model():
    for name in ("wide", "preact", "resnet"):
        backbone = shaped(name, image_shape=(16, 16, 3))
        assert backbone.stem.output.shape == backbone.body.input.shape
        assert backbone.body.output.shape == backbone.trunk.input.shape
    backbone = loaded_network("wide").backbone

    def chains(pixels):
        grid = backbone.stem(pixels)
        applied = backbone.apply_blocks(backbone.apply_position(grid))
        staged = backbone.trunk(backbone.body(grid))
        return staged, backbone.apply_trunk(applied), backbone(pixels)

    staged, applied, output = map(numpy, compiled(chains)(images(2, SMALL)))
    assert output.shape == (2, 64)
    assert np.any(output[0] != output[1])
    np.testing.assert_allclose(staged, output, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(applied, output, rtol=1e-5, atol=1e-5)


def test_something_may_happen_between_the_groups():
    backbone = shaped("preact", image_shape=(16, 16, 3))
    seen = []

    def between(i, grid):
        seen.append((i, grid.shape))
        return grid

    grid = keras.Input(backbone.stem.output.shape[1:])
    unallocated(lambda: backbone.apply_blocks(grid, between=between))
    channels = [64, 128, 256, 512]
    assert seen == [(i, (None, 8 >> i, 8 >> i, c)) for i, c in enumerate(channels)]


def test_convolutional_networks_add_no_attention_maps():
    model = loaded_network("wide")
    for blocks in (None, ["group_0_block_0"]):
        message = re.escape(
            "`backbone` must have attention; convolutional networks have none. "
            "Received: backbone='wide_resnet'"
        )
        with pytest.raises(ValueError, match=f"^{message}$"):
            model.attention_maps(images(1, SMALL), blocks)


@pytest.mark.parametrize(
    ("network", "grid", "after"),
    [
        ("wide", (16, 16), (4, 4)),
        ("preact", (8, 8), (1, 1)),
        ("resnet", (8, 8), (1, 1)),
    ],
)
def test_mixvit_is_refused_on_a_network_that_does_not_keep_its_grid(
    network, grid, after
):
    message = re.escape(
        "`backbone` must have the same grid before and after its body, as "
        "transformers have. For other backbones, use `MixMo`, `ManifoldMixUp` or "
        "`SingleNetwork`. "
        f"Received: grid_shape={grid}, after_body={after}"
    )
    backbone = shaped(network, image_shape=(16, 16, 3))
    with pytest.raises(ValueError, match=f"^{message}$"):
        unallocated(lambda: MixViT(backbone, 10))


@EVERY_NETWORK
def test_a_further_stem_has_layers_and_weights_of_its_own(network):
    backbone = loaded_network(network).backbone
    stems = [backbone.make_stem(f"stem_{m}") for m in (1, 2)]
    assert [stem.name for stem in stems] == ["stem_1", "stem_2"]
    assert {stem.output.shape for stem in stems} == {backbone.stem.output.shape}
    kernels = [numpy(stem.layers[-1].kernel) for stem in (backbone.stem, *stems)]
    for first, second in itertools.combinations(kernels, 2):
        assert np.mean(np.abs(first - second)) > 0.5 * np.mean(np.abs(first))


@pytest.mark.parametrize(
    ("mean", "std"),
    [((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)), (0.5, None), (None, 0.25)],
)
def test_mean_and_std_normalise_the_images_of_every_stem(mean, std):
    backbone, plain = tiny(mean=mean, std=std), tiny()
    kernel = numpy(plain.stem.layers[-1].kernel)
    stems = [backbone.stem, backbone.make_stem("stem_1")]
    for stem in stems:
        stem.layers[-1].kernel.assign(kernel)
    x = images(2, SMALL)
    by_hand = (x - (0 if mean is None else mean)) / (1 if std is None else std)
    by_hand = by_hand.astype("float32")

    def both(pixels, scaled):
        return plain.stem(scaled), [stem(pixels) for stem in stems]

    expected, found = compiled(both)(x, by_hand)
    for grid in found:
        np.testing.assert_allclose(numpy(grid), numpy(expected), rtol=1e-5, atol=1e-5)


def test_integer_images_equal_the_same_floats():
    pixels = np.random.default_rng(0).integers(256, size=(2, *SMALL)).astype("uint8")
    for backbone in (tiny(mean=127.5, std=50.0), tiny()):
        found, expected = (
            numpy(call(backbone.stem, x)) for x in (pixels, pixels.astype("float32"))
        )
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        assert np.any(found[0] != found[1])


@pytest.mark.parametrize(
    ("network", "shape", "grid"),
    [
        ("wide", (1, 1, 1), (1, 1)),
        ("wide", (7, 5, 4), (7, 5)),
        ("wide", (12, 4, 3), (12, 4)),
        ("preact", (2, 2, 1), (1, 1)),
        ("preact", (6, 10, 4), (3, 5)),
        ("resnet", (2, 2, 1), (1, 1)),
        ("resnet", (6, 10, 4), (3, 5)),
    ],
)
def test_images_may_be_tiny_odd_rectangular_and_of_any_channels(network, shape, grid):
    def features():
        backbone = NETWORKS[network](shape)
        assert backbone.grid_shape == backbone.stem.output.shape[1:3] == grid
        # Through the real layers, not what they promise.
        spec = keras.Operation.compute_output_spec(
            backbone, keras.KerasTensor((3, *shape))
        )
        return tuple(spec.shape)

    assert unallocated(features) == (3, 64 if network == "wide" else 512)


def test_odd_images_are_computed():
    backbone = NETWORKS["wide"]((5, 3, 2), strided_conv="first")
    features = numpy(call(backbone, images(2, (5, 3, 2))))
    assert np.all(np.isfinite(features))
    assert np.any(features[0] != features[1])


def test_mixed_precision_computes_in_bfloat16_and_keeps_float32():
    model = SingleNetwork(tiny(dtype="mixed_bfloat16", std=0.5), NUM_CLASSES)
    exact = SingleNetwork(tiny(std=0.5), NUM_CLASSES)
    for copy in (model, exact):
        load_mixmo_weights(copy, weights("wide"))
    backbone = model.backbone
    assert {variable.dtype for variable in model.variables} == {"float32"}
    for stage in (backbone.stem, backbone.body, backbone.trunk):
        assert keras.backend.standardize_dtype(stage.output.dtype) == "bfloat16"
        for layer in stage._flatten_layers(include_self=False):
            if layer.name == "normalization":
                assert layer.compute_dtype == "float32"
            elif not isinstance(layer, keras.layers.InputLayer):
                assert layer.compute_dtype == "bfloat16", layer.path
    x = images(3, SMALL)
    logits, expected = compiled(lambda p: (model(p), exact(p)))(x)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    logits, expected = numpy(logits), numpy(expected)
    assert np.abs(logits - expected).max() < 0.05 * np.abs(expected).max()
