"""One look for all figures: legible in a notebook, safe for the colour-blind."""

import contextlib
from typing import Any, TypeAlias

import numpy as np

# The palette of Okabe and Ito, without its yellow, which is pale on white.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#56B4E9",
    "#CC79A7",
    "#000000",
)
GREY = "#8C8C8C"
# For magnitudes: dark is small, and it can be read in grey.
MAP = "viridis"
WIDTH = 7.0
# A matplotlib figure (matplotlib is an extra) and the numbers behind it.
FigureAndNumbers: TypeAlias = tuple[Any, dict[str, Any]]


@contextlib.contextmanager
def style():
    """Gives all figures that you draw in the context one look."""
    import matplotlib

    settings = {
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "font.size": 9,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "lines.markersize": 4.5,
        "grid.color": "#D9D9D9",
        "grid.linewidth": 0.6,
        **{
            name: "black"
            for name in (
                "text.color",
                "axes.labelcolor",
                "axes.edgecolor",
                "xtick.color",
                "ytick.color",
            )
        },
    }
    with matplotlib.rc_context(settings):
        yield


def new_figure(height: float, width: float = WIDTH):
    """An empty figure of `width` and `height` inches, at 100 dots per inch."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def legend_shape(names, width: float, most: int) -> tuple[int, float]:
    """How many columns of a legend fit, and the height of rows beyond the second.

    Args:
        names: Iterable of strings, the entries.
        width: Float, the width of the figure in inches.
        most: Integer, the most columns.

    Returns:
        The number of columns, and inches to add to the height of the figure.
    """
    names = list(names)
    # A letter takes 0.07 inches, the line before it and the space 0.5.
    longest = max(map(len, names), default=0)
    columns = max(1, min(most, int(width / (0.07 * longest + 0.5))))
    rows = -(-len(names) // columns)
    return columns, 0.17 * max(0, rows - 2)


def show_image(axes, image, top: float) -> None:
    """Shows an image `(H, W, C)` whose brightest value may be `top`."""
    image = np.clip(np.asarray(image, "float32") / top, 0, 1)
    if image.shape[-1] == 3:
        axes.imshow(image)
    else:
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)


def mask_colours(masks):
    """Colours `(..., h, w, 3)` of masks `(..., M, h, w)`: one colour per input.

    Colours blend by the shares, for binary and linear masks of any number of
    inputs.
    """
    from matplotlib.colors import to_rgb

    masks = np.asarray(masks)
    palette = np.array([subnetwork_colour(m) for m in range(masks.shape[-3])])
    palette = np.array([to_rgb(colour) for colour in palette])
    return np.clip(np.einsum("...mhw,mc->...hwc", masks, palette), 0, 1)


def subnetwork_colour(subnetwork: int) -> str:
    """The colour of a subnetwork and of its input, in every figure."""
    # Blue and orange also differ in lightness, so two masks can be read in grey.
    # No mixture of the first three looks like another of them.
    order = ("#0072B2", "#E69F00", "#CC79A7", "#009E73", "#56B4E9", "#000000")
    return order[subnetwork % len(order)]


def name_row(axes, name: str) -> None:
    """Writes a name to the left of the first picture of a row."""
    axes.text(
        -0.06,
        0.5,
        name,
        transform=axes.transAxes,
        rotation=90,
        va="center",
        ha="right",
        fontsize=8,
    )
