from collections.abc import Callable, Sequence

import keras
import numpy as np

from keras_mixvit.analysis._style import (
    WIDTH,
    FigureAndNumbers,
    mask_colours,
    name_row,
    new_figure,
    show_image,
    style,
    subnetwork_colour,
)


@style()
def mixed_samples(
    dataset: keras.utils.PyDataset,
    mixing: Callable | None,
    class_names: Sequence[str],
    count: int = 6,
) -> FigureAndNumbers:
    """Mixed pairs of a data set: images, masks, and what the network sees.

    Masks have a colour for each input, which frames its image. Where images
    are mixed in pixels, as in MixViT, the last row is the mixture. Where their
    features are mixed, as in MixMo, there is no such image; instead each image
    is shown once more, as bright as its share at each position of the grid. Needs
    matplotlib.

    Args:
        dataset: `MixedPairDataset` whose first batch is shown.
        mixing: Layer from images and masks to mixed images and masks, such as
            `model.mixing`, or `None` where pixels are not mixed.
        class_names: Sequence of strings, the names of the classes.
        count: Integer, the number of samples. Defaults to `6`.

    Returns:
        A matplotlib figure, and a dict of the arrays behind it: `images`,
        `masks`, `mixed` (`None` without mixing), `shares`, the images times
        their masks (`None` with mixing), `labels` and `ratios`.

    Example:

    ```python
    figure, arrays = mixed_samples(pairs, model.mixing, digits.class_names)
    ```

    References:
        MixViT, Fig. 2; MixMo, Figs. 1 and 3.
    """
    from keras import ops

    inputs, labels = dataset.batch(0, 0)
    count = min(count, len(labels))
    images, masks = inputs["images"][:count], inputs["masks"][:count]
    mixed = shares = None
    if mixing is None:
        shares = images * _in_pixels(masks, images.shape[2:4])[..., None]
    else:
        mixed = ops.convert_to_numpy(mixing(images, masks)[0])
    ratios = masks.mean(axis=(2, 3))
    subnetworks = images.shape[1]
    shown = [(f"image {m}", images[:, m]) for m in range(subnetworks)]
    shown.append(("masks", None))
    if shares is not None:
        shown += [(f"seen of {m}", shares[:, m]) for m in range(subnetworks)]
    else:
        shown.append(("mixed", mixed))
    top = float(images.max())
    side = (WIDTH - 0.3) / max(count, 3)
    tall = side * images.shape[2] / images.shape[3]
    titles = 0.22 * subnetworks
    figure = new_figure(tall * len(shown) + titles + 0.1, side * count + 0.3)
    rows = figure.subplots(len(shown), count, squeeze=False)
    for row, (name, pictures) in zip(rows, shown, strict=True):
        name_row(row[0], name)
        for i, axes in enumerate(row):
            if pictures is None:
                axes.imshow(mask_colours(masks[i]))
            else:
                show_image(axes, pictures[i], top)
            _frame(axes, "none")
    for m in range(subnetworks):
        for i, axes in enumerate(rows[m]):
            name = class_names[_label(labels[i, m])]
            text = f"{name}: {ratios[i, m]:.2f}"
            axes.set_title(text, fontsize=8, pad=3)
            _frame(axes, subnetwork_colour(m))
    arrays = {
        "images": images,
        "masks": masks,
        "mixed": mixed,
        "shares": shares,
        "labels": labels[:count],
        "ratios": ratios,
    }
    return figure, arrays


def _frame(axes, colour):
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour, linewidth=2)


def _in_pixels(masks, image_size):
    """Masks `(B, M, h, w)` at the size of the images, position by position."""
    for axis, side in zip((2, 3), image_size, strict=True):
        positions = np.arange(side) * masks.shape[axis] // side
        masks = np.take(masks, positions, axis=axis)
    return masks


def _label(label):
    return int(label) if np.ndim(label) == 0 else int(np.argmax(label))
