"""What a step does with images, labels and sample weights."""

from typing import Any

from keras import ops

from keras_mixvit._checks import require
from keras_mixvit.models._data_checks import is_pair


def augmented(inputs: Any, pipeline: Any) -> Any:
    """Inputs of a step with the images that the network sees.

    Args:
        inputs: Dict with `images`, or with `indices` of images on the device, and with
            `draws` if the step augments them.
        pipeline: What the data set does to images, or `None`.

    Returns:
        The dict with `images`, without `indices` and `draws`.

    Raises:
        ValueError: If `augment_as` was not called, or the images are not on the device.
    """
    require(
        pipeline is not None or "indices" in inputs,
        "`x` must have no `draws`, unless you call `model.augment_as(dataset)` before.",
        keys=sorted(inputs),
    )
    rest = dict(inputs)
    key = "indices" if "indices" in rest else "images"
    held = None if pipeline is None else pipeline.device_images
    require(
        key == "images" or (held is not None and held.value is not None),
        "`x` must have `images`, unless you call "
        "`model.augment_as(dataset.on_device())` before: the images of these "
        "`indices` are not on the device.",
        keys=sorted(inputs),
    )
    images, draws = pipeline.as_drawn(rest.pop(key), rest.pop("draws", {}))
    if key == "indices":
        images = pipeline.look_up(images)
    if draws:
        images = pipeline.apply(images, draws, ops)
    # On JAX without compilation, Keras passes NumPy arrays, which a graph does not take
    # together with tensors.
    return {
        name: value if ops.is_tensor(value) else ops.convert_to_tensor(value)
        for name, value in (rest | {"images": images}).items()
    }


def labels_for(form: str, of_pairs: bool, y: Any, num_classes: int) -> Any:
    """Labels in the form that a loss takes.

    Args:
        form: The `label_form` of the loss.
        of_pairs: Boolean, whether the labels are those of mixed pairs.
        y: Integer labels `(B,)`, `(B, 1)` or, for pairs, `(B, M)`; or soft labels with
            one more axis.
        num_classes: Integer, the number K of classes.

    Returns:
        Labels `(B,)` or `(B, M)`, or soft labels with one more axis.

    Raises:
        ValueError: If labels are soft but the loss takes integers.
    """
    rank = 2 if of_pairs else 1
    if rank == 1 and len(y.shape) == 2 and y.shape[1] == 1:
        y = y[:, 0]
    is_soft = len(y.shape) > rank
    require(
        not (is_soft and form == "integer"),
        "`loss` must take soft labels if labels are soft, as CategoricalCrossentropy "
        "does.",
        labels_shape=tuple(y.shape),
    )
    if not is_soft and form == "soft":
        return ops.one_hot(ops.cast(y, "int32"), num_classes)
    return y


def weighted(weights: Any, sample_weight: Any) -> Any:
    """Weights `(B,)` or `(B, M)`, times the user's sample weights.

    Args:
        weights: Tensor `(B,)` or `(B, M)`.
        sample_weight: Tensor `(B,)`, `(B, 1)` or `(B, M)`, or `None`.
    """
    if sample_weight is None:
        return weights
    sample_weight = ops.cast(sample_weight, weights.dtype)
    rank = len(weights.shape)
    if rank == 1:
        return weights * ops.reshape(sample_weight, (-1,))
    if len(sample_weight.shape) == 1:
        sample_weight = sample_weight[:, None]
    return weights * sample_weight


def per_subnetwork(x: Any, sample_weight: Any) -> Any:
    """Weights `(B,)` of mixed pairs as `(B, 1)`; all others unchanged."""
    if sample_weight is None or not is_pair(x) or len(sample_weight.shape) > 1:
        return sample_weight
    return sample_weight[:, None]
