"""Residual blocks equal their plain computation."""

import numpy as np
import pytest

from keras_mixvit.layers import BasicBlock, PreActivationBlock
from tests.helpers import numpy
from tests.layers.compiled import compiled
from tests.layers.references import noise, wide
from tests.layers.residual_blocks import built

EPSILON = 1e-5
MOMENTUM = 0.1


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
