import numpy as np

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.analysis._style import (
    WIDTH,
    FigureAndNumbers,
    mask_colours,
    name_row,
    new_figure,
    style,
    subnetwork_colour,
)
from keras_mixvit.masks import MaskSampler


@style()
def mask_gallery(
    samplers: dict[str, MaskSampler],
    image_size: tuple[int, int] = (32, 32),
    count: int = 8,
    progress: float = 0.0,
    seed: int = 0,
) -> FigureAndNumbers:
    """Masks drawn by several samplers, a row for each, a colour for each input.

    Every mask comes from a batch of its own, because some draws are per batch.
    The title of each mask gives the ratios of the inputs in percent. Needs
    matplotlib.

    Args:
        samplers: Dict from the name of a row to a `MaskSampler`, such as
            `mask_families()`.
        image_size: Tuple of integers (H, W) in pixels. Defaults to `(32, 32)`.
        count: Integer, the number of masks of a row. Defaults to `8`.
        progress: Float in [0, 1], the progress of the training. Defaults to
            `0.0`.
        seed: Non-negative integer, from which every row draws. Defaults to
            `0`.

    Returns:
        A matplotlib figure, and a dict from names to float32 arrays `(count,
        M, h, w)`.

    Raises:
        ValueError: If there is no sampler, or `count` is not positive.

    Example:

    ```python
    figure, drawn = mask_gallery(mask_families(num_subnetworks=3), count=4)
    assert drawn["CutMix"].shape == (4, 3, 32, 32)
    ```

    References:
        MixMo, Section 6.7 and Fig. 13.
    """
    from matplotlib.patches import Patch

    require(len(samplers) > 0, "`samplers` must not be empty.", samplers=samplers)
    require_positive_integer("count", count)
    drawn = {}
    for name, sampler in samplers.items():
        rng = np.random.default_rng(seed)
        batches = [sampler.draw(rng, 1, image_size, progress) for _ in range(count)]
        drawn[name] = np.concatenate(batches)
    side = (WIDTH - 0.3) / count
    figure = new_figure(len(drawn) * (side * image_size[0] / image_size[1] + 0.2) + 0.3)
    grid = figure.subplots(len(drawn), count, squeeze=False)
    for row, (name, found) in zip(grid, drawn.items(), strict=True):
        name_row(row[0], name)
        for axes, mask in zip(row, found, strict=True):
            axes.imshow(mask_colours(mask))
            percent = [f"{100 * ratio:.0f}" for ratio in mask.mean(axis=(1, 2))]
            axes.set_title("/".join(percent), fontsize=8, pad=2)
            axes.set_axis_off()
    subnetworks = max(found.shape[1] for found in drawn.values())
    patches = [
        Patch(color=subnetwork_colour(m), label=f"input {m}")
        for m in range(subnetworks)
    ]
    figure.legend(handles=patches, ncols=subnetworks, loc="outside upper center")
    return figure, drawn
