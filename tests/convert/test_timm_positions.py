import re

import numpy as np
import pytest

from keras_mixvit.convert import load_timm_weights, timm_weights
from tests.convert.files import cubic_resized
from tests.convert.loading import KINDS, assert_values, random, table_of, values
from tests.helpers import numpy, tiny_cait
from tests.layers.compiled import compiled


def small_cait(grid, **changes):
    """A CaiT of few features on a grid of its own: positions are the subject."""
    options = {"num_blocks": 1, "num_class_blocks": 1, "width": 4, "num_heads": 2}
    shape = (2 * grid[0], 2 * grid[1], 1)
    return tiny_cait(image_shape=shape, patch_size=2, **{**options, **changes})


def test_the_reference_resizes_as_pytorch_does():
    torch = pytest.importorskip("torch")
    table = np.random.default_rng(0).standard_normal((4, 5, 2)).astype("float32")
    for grid in ((7, 9), (2, 2), (3, 8), (4, 5)):
        resized = torch.nn.functional.interpolate(
            torch.tensor(table.transpose(2, 0, 1)[None]),
            size=grid,
            mode="bicubic",
            antialias=True,
            align_corners=False,
        )
        expected = resized[0].numpy().transpose(1, 2, 0)
        np.testing.assert_allclose(cubic_resized(table, grid), expected, atol=5e-6)


@pytest.mark.parametrize(
    ("old", "new", "source_grid"),
    [
        ((4, 4), (7, 7), None),
        ((4, 4), (2, 2), None),
        ((4, 4), (3, 6), None),
        ((4, 4), (5, 2), (4, 4)),
        ((2, 3), (4, 5), (2, 3)),
        # As many places in another order.
        ((2, 3), (3, 2), (2, 3)),
    ],
)
def test_positions_are_resized_as_timm_resizes_them(old, new, source_grid):
    first, second = random(small_cait(old)), random(small_cait(new), seed=1)
    weights = timm_weights(first)
    conversion = load_timm_weights(second, weights, source_grid=source_grid)
    expected = cubic_resized(table_of(first), new)
    np.testing.assert_allclose(table_of(second), expected, atol=1e-5)
    assert conversion.resized == ("pos_embed",)
    assert set(conversion.loaded) == set(weights)
    for name, array in timm_weights(second).items():
        if name != "pos_embed":
            np.testing.assert_array_equal(array, weights[name], name)


@pytest.mark.parametrize("source_grid", [None, (2, 3), [2, 3]])
def test_positions_of_the_same_grid_are_left_alone(source_grid):
    first, second = random(small_cait((2, 3))), random(small_cait((2, 3)), seed=1)
    weights = timm_weights(first)
    conversion = load_timm_weights(second, weights, source_grid=source_grid)
    np.testing.assert_array_equal(table_of(second), table_of(first))
    assert conversion.resized == ()


@pytest.mark.parametrize(
    ("old", "source_grid", "received"),
    [((4, 4), (3, 5), (3, 5)), ((4, 4), (4, 2), (4, 2)), ((2, 4), None, None)],
)
def test_a_source_grid_of_other_places_is_refused(old, source_grid, received):
    weights = timm_weights(small_cait(old))
    model = random(small_cait((3, 3)))
    before = values(model)
    message = (
        "`source_grid` must be (h, w) with as many positions as the table, "
        f"{old[0] * old[1]}. "
        f"Received: source_grid={received}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(model, weights, source_grid=source_grid)
    assert_values(model, before)


def test_gated_positions_reckon_with_the_same_offsets_on_another_grid():
    first = random(KINDS["paper's convit"](image_shape=(16, 16, 3)))
    second = random(KINDS["paper's convit"](), seed=1)
    conversion = load_timm_weights(second, timm_weights(first))
    assert conversion.resized == ("pos_embed",)
    wide, narrow = (b.body.get_layer("block_0").attention for b in (first, second))
    np.testing.assert_array_equal(
        numpy(narrow.position_kernel), numpy(wide.position_kernel)
    )
    # On a part of the grid, offsets are the same: only the softmax differs.
    part = numpy(compiled(wide.positional_attention)())
    part = part.reshape(4, 4, 4, 4, 4)[:, :2, :3, :2, :3].reshape(4, 6, 6)
    np.testing.assert_allclose(
        numpy(compiled(narrow.positional_attention)()),
        part / part.sum(axis=-1, keepdims=True),
        rtol=1e-4,
        atol=1e-6,
    )
