from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.analysis._style import (
    MAP,
    WIDTH,
    FigureAndNumbers,
    name_row,
    new_figure,
    show_image,
    style,
)


@style()
def subnetwork_attention(
    images: npt.ArrayLike,
    attention: npt.ArrayLike,
    grid_shape: tuple[int, int],
    titles: Sequence[str] | None = None,
    count: int = 6,
    num_prefix_tokens: int = 1,
) -> FigureAndNumbers:
    """Where each subnetwork looks: attention of a block over the images.

    It shows the attention of the class token, averaged over the heads, or, in
    blocks without one, the mean over all queries. Weights are multiplied by the
    number of tokens, so 1 is uniform attention. All subnetworks of an image
    share one scale. Needs matplotlib.

    Args:
        images: Array `(n, H, W, C)`.
        attention: Array of one block from `model.attention_maps(images)`:
            `(n, S, num_heads, P + T)`, `(n, S, num_heads, T, T)` or `(n, S,
            num_heads, P + T, P + T)`, with T = h w.
        grid_shape: Tuple of integers (h, w), `model.backbone.grid_shape`.
        titles: Sequence of n strings above the images, or `None` for none.
            Defaults to `None`.
        count: Integer, the number of images. Defaults to `6`.
        num_prefix_tokens: Integer, the number P of tokens before those of the
            grid: the class token and, in a `ViT`, its registers. Defaults to `1`.

    Returns:
        A matplotlib figure, and a dict of the arrays behind it: `weights`
        `(count, S, h, w)`, without the class token's attention to itself and to
        registers.

    Raises:
        ValueError: If attention does not fit images or grid.

    Example:

    ```python
    model = MixViT(ConViT((8, 8, 1), 2, 16, 4, 1, 1), num_classes=10)
    images = np.random.default_rng(0).random((3, 8, 8, 1))
    maps = model.attention_maps(images)["class_block_0"]
    figure, arrays = subnetwork_attention(images, maps, model.backbone.grid_shape)
    assert arrays["weights"].shape == (3, 2, 4, 4)
    ```

    References:
        MixViT, Section 2.4.
    """
    images = np.asarray(images)
    weights = relative_attention(attention, len(images), grid_shape, num_prefix_tokens)[
        :count
    ]
    count, runs = weights.shape[:2]
    top = float(images.max()) or 1.0
    height, width = images.shape[1:3]
    side = (WIDTH - 0.4) / max(count, 4)
    figure = new_figure(
        (1 + runs) * (side * height / width + 0.05) + 0.75, side * count + 0.4
    )
    grid = figure.subplots(1 + runs, count, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    names = [f"subnetwork {s}" for s in range(runs)] if runs > 1 else ["attention"]
    for row, name in zip(grid, ["image", *names], strict=True):
        name_row(row[0], name)
    for i in range(count):
        show_image(grid[0, i], images[i], top)
        if titles is not None:
            grid[0, i].set_title(titles[i], fontsize=8)
        grey = images[i].mean(axis=-1, keepdims=True)
        for s in range(runs):
            show_image(grid[1 + s, i], grey, top)
            shown = grid[1 + s, i].imshow(
                weights[i, s],
                cmap=MAP,
                vmin=0,
                vmax=max(float(weights[i].max()), 1e-12),
                alpha=0.6,
                extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            )
        bar = figure.colorbar(
            shown, ax=grid[:, i], orientation="horizontal", pad=0.02, aspect=12
        )
        bar.ax.tick_params(labelsize=7)
        bar.locator = _few_ticks()
        bar.update_ticks()
    figure.supxlabel("attention / uniform attention", fontsize=8)
    return figure, {"weights": weights}


def relative_attention(
    attention: npt.ArrayLike,
    count: int,
    grid_shape: tuple[int, int],
    num_prefix_tokens: int = 1,
) -> np.ndarray:
    """Attention of a block over uniform attention, averaged over the heads.

    Args:
        attention: Array, as in `subnetwork_attention`.
        count: Integer, the number n of images.
        grid_shape: Tuple of integers (h, w).
        num_prefix_tokens: Integer. Defaults to `1`.

    Returns:
        Array `(n, S, h, w)`.
    """
    require_positive_integer("num_prefix_tokens", num_prefix_tokens)
    attention = np.asarray(attention)
    weights = _of_one_query(attention, count, grid_shape, num_prefix_tokens)
    weights = grid_shape[0] * grid_shape[1] * weights.mean(axis=2)
    return weights.reshape(*weights.shape[:2], *grid_shape)


def _few_ticks():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(2, steps=[1, 2, 5, 10])


def _of_one_query(attention, count, grid_shape, prefix):
    """Weights `(n, S, heads, h w)` of the class token or of the mean query."""
    tokens = grid_shape[0] * grid_shape[1]
    shape = attention.shape
    known: dict[int, list] = {
        4: [(prefix + tokens,)],
        5: [(tokens, tokens), (prefix + tokens, prefix + tokens)],
    }
    fits = shape[:1] == (count,) and shape[3:] in known.get(attention.ndim, [])
    require(
        fits,
        f"`attention` must have shape (n, S, num_heads, {prefix} + T), (n, S, "
        f"num_heads, T, T) or (n, S, num_heads, {prefix} + T, {prefix} + T) with the n "
        "of `images` and T = h w of `grid_shape`.",
        attention=shape,
        images=count,
        grid_shape=tuple(grid_shape),
    )
    if attention.ndim == 4:
        return attention[..., prefix:]
    if shape[-1] == tokens:
        return attention.mean(axis=-2)
    return attention[..., 0, prefix:]
