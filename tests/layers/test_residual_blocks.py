import re

import keras
import numpy as np
import pytest

from keras_mixvit.layers import BasicBlock, PreActivationBlock
from tests.helpers import numpy
from tests.layers.compiled import call, compiled
from tests.layers.references import noise, wide
from tests.layers.residual_blocks import built, set_state

MAKERS = {
    "wide": PreActivationBlock,
    "preact": lambda *args, **kwargs: PreActivationBlock(
        *args, kind="preact", **kwargs
    ),
    "basic": BasicBlock,
}
EVERY_KIND = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
OUT_OF_RANGE = {
    "filters": (0, "`filters` must be an integer of at least 1."),
    "stride": (1.5, "`stride` must be an integer of at least 1."),
    "l2": (-1e-4, "`l2` must not be negative."),
}


@EVERY_KIND
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_promised_shape_is_the_real_one_on_every_grid(make, stride):
    block = make(4, stride)
    block.build((None, 5, 5, 3))
    for grid in [(1, 1), (2, 1), (1, 2), (3, 2), (5, 7), (8, 6)]:
        x = keras.KerasTensor((2, *grid, 3))
        spec = keras.Operation.compute_output_spec(block, x)
        expected = (2, -(-grid[0] // stride), -(-grid[1] // stride), 4)
        assert tuple(spec.shape) == expected
        assert tuple(block.compute_output_shape(x.shape)) == expected
        assert block(x).shape == expected


@EVERY_KIND
def test_a_single_pixel_is_computed(make):
    output = numpy(call(make(4, 2), noise(2, 1, 1, 3)))
    assert output.shape == (2, 1, 1, 4)
    assert np.all(np.isfinite(output))


@EVERY_KIND
def test_every_parameter_is_in_the_l2_loss_without_a_half(make):
    block = built(make(4, 2, l2=0.01), (2, 4, 4, 3))
    trainable = block.trainable_variables
    # Kernels, and a gamma and a beta per norm.
    assert len(trainable) == (9 if make is BasicBlock else 7)
    squares = sum(np.sum(wide(variable) ** 2) for variable in trainable)
    loss = sum(float(numpy(term)) for term in block.losses)
    np.testing.assert_allclose(loss, 0.01 * squares, rtol=1e-5)
    assert make(4, 2).losses == built(make(4, 2), (2, 4, 4, 3)).losses == []


@EVERY_KIND
def test_convolutions_have_no_bias(make):
    block = built(make(4, 2), (2, 4, 4, 3))
    for conv in [*block.convolutions, block.shortcut]:
        assert [tuple(weight.shape) for weight in conv.weights] == [conv.kernel.shape]


@EVERY_KIND
def test_mixed_precision_computes_in_bfloat16_and_keeps_float32(make):
    shape = (4, 4, 6, 3)
    block, exact = (
        built(make(4, 2, dtype=dtype), shape) for dtype in ("mixed_bfloat16", "float32")
    )
    assert {variable.dtype for variable in block.variables} == {"float32"}
    for layer in block._flatten_layers():
        assert layer.compute_dtype == "bfloat16", layer.path
    x = noise(*shape)
    output, expected = compiled(lambda grid: (block(grid), exact(grid)))(x)
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    expected = numpy(expected)
    np.testing.assert_allclose(
        numpy(output), expected, rtol=0.05, atol=0.05 * np.abs(expected).max()
    )


@pytest.mark.parametrize(
    "block",
    [
        PreActivationBlock(4, 2, "preact", "second", 0.1, name="a"),
        PreActivationBlock(4),
        BasicBlock(4, 2, 0.1, name="b"),
    ],
    ids=["preactivation", "defaults", "basic"],
)
def test_config_makes_the_same_block(block):
    serialised = keras.saving.serialize_keras_object(block)
    copy = keras.saving.deserialize_keras_object(serialised)
    assert type(copy) is type(block)
    assert copy.get_config() == block.get_config()
    assert copy.l2 == block.l2


@EVERY_KIND
def test_saved_blocks_come_back_with_all_variables(make, tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 3)), make(4, 2), make(4)])
    set_state(model)
    path = tmp_path / "blocks.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert len(loaded.variables) == len(model.variables)
    for variable, other in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(numpy(other), numpy(variable), variable.path)


@EVERY_KIND
@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_arguments_out_of_range_are_refused(make, name):
    value, requirement = OUT_OF_RANGE[name]
    message = re.escape(f"{requirement} Received: {name}={value!r}")
    with pytest.raises(ValueError, match=f"^{message}$"):
        make(**{"filters": 4, name: value})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"kind": "narrow"},
            "`kind` must be one of 'wide', 'preact'. Received: kind='narrow'",
        ),
        (
            {"strided_conv": "both"},
            "`strided_conv` must be one of 'first', 'second', None. Received: "
            "strided_conv='both'",
        ),
        ({"l2": float("nan")}, "`l2` must not be negative. Received: l2=nan"),
    ],
)
def test_unknown_kinds_of_blocks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        PreActivationBlock(4, **arguments)
