"""Backbones of keras-hub as they are, where keras-hub is installed."""

import numpy as np
import pytest

from keras_mixvit import KerasBackbone, MixMo
from tests.helpers import numpy

keras_hub = pytest.importorskip("keras_hub")

SHAPE = (32, 32, 3)


def resnet(filters, sizes, block):
    """A ResNet of two stages."""
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=filters,
        input_conv_kernel_sizes=sizes,
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type=block,
        image_shape=SHAPE,
    )


MAKES = {
    "ResNet": (lambda: resnet([64], [7], "basic_block"), ("conv1_relu", 16)),
    "ResNet-D": (
        lambda: resnet([8, 8, 16], [3, 3, 3], "bottleneck_block_vd"),
        ("conv3_relu", 16),
    ),
    "DenseNet": (
        lambda: keras_hub.models.DenseNetBackbone(
            stackwise_num_repeats=[2, 2], growth_rate=8, image_shape=SHAPE
        ),
        ("conv1_relu", 16),
    ),
}


@pytest.mark.parametrize("name", MAKES)
def test_backbones_of_keras_hub_are_kept_as_they_are(name):
    make, (grid, side) = MAKES[name]
    model = make()
    made = KerasBackbone(model, grid)
    assert made.grid_shape == (side, side)
    assert made.count_params() == model.count_params()
    x = np.random.default_rng(0).random((2, *SHAPE)).astype("float32")
    expected = numpy(model(x)).mean((1, 2))
    close = {"rtol": 1e-4, "atol": 1e-5 * np.abs(expected).max()}
    np.testing.assert_allclose(numpy(made(x)), expected, **close)
    # Every subnetwork of a fresh MixMo reads the features of the model itself.
    mixed = MixMo(made, 5, mixing_scale=1.0)
    heads = numpy(mixed.heads.kernel), numpy(mixed.heads.bias)
    logits = np.einsum("bf,mfk->bmk", expected, heads[0]) + heads[1]
    close["atol"] *= 10
    np.testing.assert_allclose(numpy(mixed.inference_network(x)), logits, **close)


def test_a_stage_of_keras_hub_that_cannot_be_cut_names_one_that_can():
    model = MAKES["ResNet"][0]()
    inside = next(
        layer.name for layer in model.layers if layer.name.endswith("block0_1_relu")
    )
    with pytest.raises(ValueError, match=r"`grid` must be a layer at which .*Nearest"):
        KerasBackbone(model, inside)
