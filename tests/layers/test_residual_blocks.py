import re

import keras
import numpy as np
import pytest

from keras_mixvit.layers import BasicBlock, PreActivationBlock
from tests.helpers import numpy
from tests.layers.compiled import call, compiled
from tests.layers.references import noise, wide

EPSILON = 1e-5
MOMENTUM = 0.1
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


def set_state(block, seed=0):
    """Gives every variable of a block values that leave nothing neutral."""
    rng = np.random.default_rng(seed)
    for variable in block.variables:
        if variable.path.endswith(("gamma", "moving_variance")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        else:
            variable.assign(0.4 * rng.standard_normal(variable.shape))


def built(block, shape):
    block.build((None, *shape[1:]))
    set_state(block)
    return block


def symmetric(size, stride):
    """Zeros before and after an axis, for a kernel of 3, as in PyTorch."""
    return 1, 1


def right(size, stride):
    """Zeros before and after an even axis, or one without a stride."""
    return (0, 1) if stride == 2 and size % 2 == 0 else (1, 1)


class PlainBlock:
    """What a block should compute, tap by tap in float64.

    `moved` becomes the running statistics after the call, by the layer.
    """

    def __init__(self, block, training):
        self.block = block
        self.training = training
        self.moved = {}

    def norm(self, x, layer):
        mean, variance = wide(layer.moving_mean), wide(layer.moving_variance)
        if self.training:
            batch = x.reshape(-1, x.shape[-1])
            old, mean, variance = (mean, variance), batch.mean(0), batch.var(0)
            self.moved[layer.name] = [
                (1 - MOMENTUM) * before + MOMENTUM * now
                for before, now in zip(old, (mean, variance), strict=True)
            ]
        scale = wide(layer.gamma) / np.sqrt(variance + EPSILON)
        return (x - mean) * scale + wide(layer.beta)

    def convolve(self, x, layer, stride, padding):
        kernel = wide(layer.kernel)
        size, _, inputs, _ = kernel.shape
        assert kernel.shape[:2] == (size, size)
        assert inputs == x.shape[-1]
        if size > 1:
            pads = [padding(side, stride) for side in x.shape[1:3]]
            x = np.pad(x, [(0, 0), *pads, (0, 0)])
        rows, columns = (
            range(0, side - size + 1, stride)
            for side in (x.shape[1] or 1, x.shape[2] or 1)
        )
        return np.stack(
            [
                np.stack(
                    [
                        np.einsum(
                            "bhwi,hwio->bo", x[:, i : i + size, j : j + size], kernel
                        )
                        for j in columns
                    ],
                    axis=1,
                )
                for i in rows
            ],
            axis=1,
        )

    def preactivated(self, x, strides, padding, shortcut_of):
        block = self.block
        active = np.maximum(self.norm(x, block.norms[0]), 0)
        hidden = self.convolve(active, block.convolutions[0], strides[0], padding)
        hidden = np.maximum(self.norm(hidden, block.norms[1]), 0)
        hidden = self.convolve(hidden, block.convolutions[1], strides[1], padding)
        if block.shortcut is None:
            return hidden + x
        shortcut = active if shortcut_of == "activation" else x
        return hidden + self.convolve(
            shortcut, block.shortcut, strides[0] * strides[1], padding
        )

    def postactivated(self, x, stride):
        block = self.block
        hidden = self.convolve(x, block.convolutions[0], stride, symmetric)
        hidden = np.maximum(self.norm(hidden, block.norms[0]), 0)
        hidden = self.convolve(hidden, block.convolutions[1], 1, symmetric)
        hidden = self.norm(hidden, block.norms[1])
        if block.shortcut is not None:
            x = self.convolve(x, block.shortcut, stride, symmetric)
            x = self.norm(x, block.shortcut_norm)
        return np.maximum(hidden + x, 0)


def wide_block(strides):
    return lambda plain, x: plain.preactivated(x, strides, right, "input")


def preact_block(strides):
    return lambda plain, x: plain.preactivated(x, strides, symmetric, "activation")


def basic_block(stride):
    return lambda plain, x: plain.postactivated(x, stride)


@pytest.mark.parametrize(
    ("block", "expected", "shape", "has_shortcut"),
    [
        (PreActivationBlock(4, 2), wide_block((1, 2)), (3, 4, 6, 3), True),
        (PreActivationBlock(3, 2), wide_block((1, 2)), (2, 5, 2, 3), True),
        (PreActivationBlock(4), wide_block((1, 1)), (3, 2, 3, 3), True),
        (PreActivationBlock(3), wide_block((1, 1)), (3, 3, 2, 3), False),
        (
            PreActivationBlock(4, 2, strided_conv="first"),
            wide_block((2, 1)),
            (3, 4, 6, 3),
            True,
        ),
        (PreActivationBlock(4, 2, "preact"), preact_block((2, 1)), (3, 4, 6, 3), True),
        (PreActivationBlock(3, 1, "preact"), preact_block((1, 1)), (2, 1, 2, 3), False),
        (
            PreActivationBlock(4, 2, "preact", "second"),
            preact_block((1, 2)),
            (3, 4, 3, 3),
            True,
        ),
        (BasicBlock(4, 2), basic_block(2), (3, 4, 5, 3), True),
        (BasicBlock(4), basic_block(1), (2, 1, 2, 3), True),
        (BasicBlock(3), basic_block(1), (3, 3, 2, 3), False),
    ],
    ids=[
        "wide",
        "wide-same-channels",
        "wide-no-stride",
        "wide-no-shortcut",
        "wide-first",
        "preact",
        "preact-no-shortcut",
        "preact-second",
        "basic",
        "basic-no-stride",
        "basic-no-shortcut",
    ],
)
def test_blocks_equal_the_plain_computation(block, expected, shape, has_shortcut):
    # Parameters of a test outlive it: a block of its own.
    block = built(type(block).from_config(block.get_config()), shape)
    assert (block.shortcut is not None) is has_shortcut
    x = noise(*shape)
    inference, training = PlainBlock(block, False), PlainBlock(block, True)
    outputs = [expected(inference, x), expected(training, x)]
    norms = [*block.norms, getattr(block, "shortcut_norm", None)]
    norms = [norm for norm in norms if norm is not None]

    def both_modes(grid):
        found = block(grid), block(grid, training=True)
        moved = [(n.moving_mean.value, n.moving_variance.value) for n in norms]
        return found, moved

    found, moved = compiled(both_modes)(x)
    for array, plain in zip(found, outputs, strict=True):
        np.testing.assert_allclose(numpy(array), plain, rtol=1e-5, atol=1e-5)
    for norm, statistics in zip(norms, moved, strict=True):
        for array, plain in zip(statistics, training.moved[norm.name], strict=True):
            np.testing.assert_allclose(
                numpy(array), plain, rtol=1e-5, atol=1e-5, err_msg=norm.name
            )


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
