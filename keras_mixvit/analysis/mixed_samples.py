import numpy as np


def mixed_samples(dataset, mixing, class_names, count: int = 6):
    """Mixed pairs of a data set: the images, their mask, what the network sees.

    Needs matplotlib.

    Args:
        dataset: `MixedPairDataset` whose first batch is shown.
        mixing: Layer from images and masks to mixed images and masks, such as
            `model.mixing`, or `None` where nothing is mixed.
        class_names: Sequence of strings, the names of the classes.
        count: Integer, the number of samples. Defaults to `6`.

    Returns:
        A matplotlib figure, and a dict of the arrays behind it: `images`,
        `masks`, `mixed` (`None` without mixing), `labels` and `ratios`.

    Example:

    ```python
    figure, arrays = mixed_samples(pairs, model.mixing, digits.class_names)
    ```
    """
    from keras import ops
    from matplotlib.figure import Figure

    inputs, labels = dataset.batch(0, 0)
    count = min(count, len(labels))
    images, masks = inputs["images"][:count], inputs["masks"][:count]
    mixed = None if mixing is None else ops.convert_to_numpy(mixing(images, masks)[0])
    ratios = masks.mean(axis=(2, 3))
    top = float(images.max())
    members = images.shape[1]
    height = members if mixed is None else members + 2
    figure = Figure(figsize=(1.5 * count, 1.75 * height), dpi=110)
    figure.set_layout_engine("constrained")
    rows = figure.subplots(height, count, squeeze=False)
    for i in range(count):
        for m in range(members):
            _show(rows[m, i], images[i, m] / top)
            name = class_names[_label(labels[i, m])]
            rows[m, i].set_title(f"{name}: {ratios[i, m]:.2f}", fontsize=9)
        if mixed is None:
            continue
        rows[members, i].imshow(
            masks[i].argmax(0), vmin=0, vmax=max(members - 1, 1), cmap="cividis"
        )
        _show(rows[members + 1, i], mixed[i] / top)
    names = [f"image {m}" for m in range(members)] + ["mask", "mixed"]
    for axes, name in zip(rows[:, 0], names, strict=False):
        where = {"transform": axes.transAxes, "rotation": 90}
        axes.text(-0.12, 0.5, name, va="center", ha="center", fontsize=9, **where)
    for axes in rows.flat:
        axes.set_axis_off()
    arrays = {
        "images": images,
        "masks": masks,
        "mixed": mixed,
        "labels": labels[:count],
        "ratios": ratios,
    }
    return figure, arrays


def _show(axes, image):
    if image.shape[-1] == 3:
        axes.imshow(np.clip(image, 0, 1))
    else:
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)


def _label(label):
    return int(label) if np.ndim(label) == 0 else int(np.argmax(label))
