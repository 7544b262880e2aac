import re

import keras
import numpy as np
import pytest

from keras_mixvit.backbones import CaiT, ConViT
from keras_mixvit.backbones._features import grid_of
from tests.helpers import images, numpy, set_weights, tiny_cait, tiny_convit, tiny_vit
from tests.layers.compiled import call, compiled

TINY = pytest.mark.parametrize("tiny", [tiny_convit, tiny_cait, tiny_vit])


def head(width, classes):
    return width * classes + classes


def test_convit_has_the_parameters_of_the_paper():
    assert ConViT().count_params() == 12_496_528 - head(384, 100)


@pytest.mark.parametrize(
    ("arguments", "published", "classes"),
    [
        ({"image_shape": (224, 224, 3), "patch_size": 16}, 11_956_264, 1000),
        ({}, 11_618_980, 100),
        ({"width": 288, "num_heads": 6}, 26_055_172, 100),
    ],
)
def test_cait_has_the_published_parameters(arguments, published, classes):
    def count(num_blocks):
        return CaiT(**arguments, num_blocks=num_blocks).count_params()

    # Blocks are alike: the count is linear in their number.
    one = count(1)
    width = arguments.get("width", 192)
    total = one + 23 * (count(2) - one)
    assert total == published - head(width, classes)


@TINY
def test_stages_and_apply_methods_chain_to_the_model(tiny):
    backbone = tiny(num_blocks=1, num_class_blocks=1)
    set_weights(backbone)

    def chains(pixels):
        grid = backbone.stem(pixels)
        body = backbone.body(grid)
        applied = backbone.apply_position(grid)
        applied = backbone.apply_trunk(backbone.apply_blocks(applied))
        return grid, body, backbone.trunk(body), applied, backbone(pixels)

    grid, body, *features = compiled(chains)(images(2))
    assert grid.shape == grid_of(body).shape == (2, 2, 3, 16)
    features, applied, output = (numpy(y) for y in features)
    assert output.shape == (2, 16)
    np.testing.assert_allclose(features, output, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(applied, output, rtol=1e-6, atol=1e-6)


@TINY
@pytest.mark.parametrize("shape", [(4, 16, 1), (12, 4, 5)])
def test_images_may_be_rectangular_and_of_any_channels(tiny, shape):
    backbone = tiny(image_shape=shape, num_blocks=1, num_class_blocks=1)
    grid = (shape[0] // 4, shape[1] // 4)
    assert backbone.grid_shape == grid
    assert backbone.stem.output.shape == (None, *grid, 16)
    assert backbone.compute_output_shape((None, *shape)) == (None, 16)
    x = images(2, shape)
    features = numpy(call(backbone, x))
    assert features.shape == (2, 16)
    assert np.all(np.isfinite(features))
    assert np.any(features[0] != features[1])


def block_rates(backbone):
    rates = [
        backbone.body.get_layer(f"block_{i}").stochastic_depth_rate
        for i in range(backbone.num_blocks)
    ]
    return rates, [
        backbone.trunk.get_layer(f"class_block_{i}").stochastic_depth_rate
        for i in range(backbone.num_class_blocks)
    ]


def test_stochastic_depth_of_convit_rises_over_all_blocks():
    blocks, class_blocks = block_rates(
        tiny_convit(num_blocks=3, stochastic_depth_rate=0.4)
    )
    np.testing.assert_allclose(blocks, [0.0, 0.1, 0.2], atol=1e-12)
    np.testing.assert_allclose(class_blocks, [0.3, 0.4], atol=1e-12)


def test_stochastic_depth_of_cait_is_constant_and_not_in_class_blocks():
    blocks, class_blocks = block_rates(
        tiny_cait(num_blocks=3, stochastic_depth_rate=0.4)
    )
    assert blocks == [0.4, 0.4, 0.4]
    assert class_blocks == [0.0, 0.0]


@pytest.mark.parametrize(("tiny", "drops"), [(tiny_convit, True), (tiny_cait, False)])
def test_only_class_blocks_of_convit_drop(tiny, drops):
    rates = {"dropout_rate": 0.5, "attention_dropout_rate": 0.5}
    backbone = tiny(num_blocks=1, num_class_blocks=1, seed=0, **rates)
    set_weights(backbone)
    grid = np.random.default_rng(0).standard_normal((4, 2, 3, 16)).astype("float32")
    trunk = backbone.trunk
    inference, training = (
        numpy(y) for y in compiled(lambda x: (trunk(x), trunk(x, training=True)))(grid)
    )
    block = trunk.get_layer("class_block_0")
    assert (block.dropout_rate, block.attention.attention_dropout_rate) == (
        (0.5, 0.5) if drops else (0.0, 0.0)
    )
    # In training JAX and TensorFlow compute GELU by another function than in
    # inference: the last bits differ.
    is_exact = keras.config.backend() == "torch"
    tolerances = {"rtol": 0, "atol": 0} if is_exact else {"rtol": 1e-5, "atol": 1e-6}
    assert np.allclose(inference, training, **tolerances) is not drops


@TINY
def test_training_is_random_and_inference_is_not(tiny):
    backbone = tiny(num_blocks=1, num_class_blocks=1, stochastic_depth_rate=0.5, seed=0)
    set_weights(backbone)
    x = images(16)
    first, second = (numpy(backbone(x, training=True)) for _ in range(2))
    assert np.all(np.isfinite(first))
    assert np.abs(first - second).max() > 1e-2
    first, second = (numpy(backbone(x)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("mean", "std"),
    [((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)), (0.5, None), (None, 0.25)],
)
def test_mean_and_std_normalise_the_images(mean, std):
    backbone = tiny_convit(num_blocks=1, num_class_blocks=1, mean=mean, std=std)
    plain = tiny_convit(num_blocks=1, num_class_blocks=1)
    for model in (backbone, plain):
        set_weights(model)
    x = images(2)
    by_hand = (x - (0 if mean is None else mean)) / (1 if std is None else std)
    np.testing.assert_allclose(
        numpy(call(backbone.stem, x)),
        numpy(call(plain.stem, by_hand.astype("float32"))),
        rtol=1e-5,
        atol=1e-5,
    )


@TINY
def test_integer_images_equal_the_same_floats(tiny):
    backbone = tiny(num_blocks=1, num_class_blocks=1, mean=127.5, std=50.0)
    pixels = np.random.default_rng(0).integers(256, size=(2, 8, 12, 3)).astype("uint8")
    features = numpy(call(backbone, pixels))
    np.testing.assert_allclose(
        features, numpy(call(backbone, pixels.astype("float32"))), rtol=1e-5, atol=1e-5
    )
    assert np.any(features[0] != features[1])


@TINY
def test_dtype_is_that_of_every_stage_and_layer(tiny):
    backbone = tiny(num_blocks=1, num_class_blocks=1, dtype="mixed_bfloat16", std=0.5)
    assert backbone.compute_dtype == "bfloat16"
    for stage in (backbone.stem, backbone.body, backbone.trunk):
        for output in keras.tree.flatten(stage.output):
            assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
        for layer in stage._flatten_layers(include_self=False):
            if layer.name == "normalization":
                assert layer.compute_dtype == "float32"
            elif not isinstance(layer, keras.layers.InputLayer):
                assert layer.compute_dtype == "bfloat16", layer.path
    assert {variable.dtype for variable in backbone.trainable_variables} == {"float32"}


@TINY
def test_every_variable_is_listed_once(tiny):
    backbone = tiny()
    variables = backbone.trainable_variables
    assert len({id(variable) for variable in variables}) == len(variables)
    stages = (backbone.stem, backbone.body, backbone.trunk)
    assert sum(len(stage.trainable_variables) for stage in stages) == len(variables)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"patch_size": 8},
            "`patch_size` must divide the image size. "
            "Received: patch_size=8, image_size=(8, 12)",
        ),
        (
            {"patch_size": 0},
            "`patch_size` must be an integer of at least 1. Received: patch_size=0",
        ),
        (
            {"num_heads": 3},
            "`num_heads` must divide the width. Received: num_heads=3, width=16",
        ),
        (
            {"image_shape": (8, 12)},
            "`image_shape` must be (height, width, channels). "
            "Received: image_shape=(8, 12)",
        ),
        (
            {"image_shape": (8, 12, 0)},
            "`image_shape` must be an integer of at least 1. Received: image_shape=0",
        ),
        (
            {"mean": (0.5, 0.5)},
            "`mean` must be a number or 3 numbers, one per channel. "
            "Received: mean=(0.5, 0.5)",
        ),
        (
            {"std": (0.5,)},
            "`std` must be a number or 3 numbers, one per channel. "
            "Received: std=(0.5,)",
        ),
        (
            {"mean": float("nan")},
            "`mean` must be finite. Received: mean=[nan, nan, nan]",
        ),
        (
            {"std": (0.5, 0.0, 1.0)},
            "`std` must be positive. Received: std=[0.5, 0.0, 1.0]",
        ),
        (
            {"stochastic_depth_rate": 1.0},
            "`stochastic_depth_rate` must be in [0, 1). "
            "Received: stochastic_depth_rate=1.0",
        ),
        (
            {"dropout_rate": -0.1},
            "`dropout_rate` must be in [0, 1). Received: dropout_rate=-0.1",
        ),
        (
            {"attention_dropout_rate": 1.0},
            "`attention_dropout_rate` must be in [0, 1). "
            "Received: attention_dropout_rate=1.0",
        ),
        (
            {"width": 16.0},
            "`width` must be an integer of at least 1. Received: width=16.0",
        ),
        (
            {"num_blocks": 0},
            "`num_blocks` must be an integer of at least 1. Received: num_blocks=0",
        ),
        (
            {"num_class_blocks": 0},
            "`num_class_blocks` must be an integer of at least 1. "
            "Received: num_class_blocks=0",
        ),
    ],
)
@TINY
def test_arguments_out_of_range_are_refused(tiny, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        tiny(**arguments)
