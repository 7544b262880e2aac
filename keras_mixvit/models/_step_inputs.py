"""What a step makes of labels and sample weights."""

from typing import Any

from keras import ops

from keras_mixvit._checks import require
from keras_mixvit.models._data_checks import is_pair


def augmented(inputs: Any, pipeline: Any) -> Any:
    """Inputs of a step with the images that the network sees.

    Args:
        inputs: Dict with `images`, or with `indices` of images that stay on
            the device, and with `draws` where they are to be augmented.
        pipeline: What the data set does to images, or `None`.

    Returns:
        The dict with `images`, without `indices` and `draws`.

    Raises:
        ValueError: If `augment_as` was not called, or the images of the indices
            are not on the device.
    """
    require(
        pipeline is not None or "indices" in inputs,
        "`x` must come without `draws`, or `model.augment_as(dataset)` be called "
        "before.",
        keys=sorted(inputs),
    )
    rest = dict(inputs)
    key = "indices" if "indices" in rest else "images"
    held = None if pipeline is None else pipeline.device_images
    require(
        key == "images" or (held is not None and held.value is not None),
        "`x` must have `images`, or `model.augment_as(dataset.on_device())` be called "
        "before: the images of these `indices` are not on the device.",
        keys=sorted(inputs),
    )
    images, draws = pipeline.as_drawn(rest.pop(key), rest.pop("draws", {}))
    if key == "indices":
        images = pipeline.look_up(images)
    if draws:
        images = pipeline.apply(images, draws, ops)
    # Without compilation on JAX, Keras gives arrays of NumPy, which a graph does
    # not take beside tensors.
    return {
        name: value if ops.is_tensor(value) else ops.convert_to_tensor(value)
        for name, value in (rest | {"images": images}).items()
    }


def labels_for(form: str, of_pairs: bool, y: Any, num_classes: int) -> Any:
    """Labels in the form that a loss takes.

    Args:
        form: What `label_form` says of the loss.
        of_pairs: Boolean, whether labels belong to mixed pairs.
        y: Integer labels `(B,)`, `(B, 1)` or, of pairs, `(B, M)`; or soft
            labels of one axis more.
        num_classes: Integer, the number K of classes.

    Returns:
        Labels `(B,)` or `(B, M)`, or soft labels of one axis more.

    Raises:
        ValueError: If labels are soft and the loss takes integers.
    """
    rank = 2 if of_pairs else 1
    if rank == 1 and len(y.shape) == 2 and y.shape[1] == 1:
        y = y[:, 0]
    is_soft = len(y.shape) > rank
    require(
        not (is_soft and form == "integer"),
        "`loss` must take soft labels, as CategoricalCrossentropy does, where "
        "labels are soft.",
        labels_shape=tuple(y.shape),
    )
    if not is_soft and form == "soft":
        return ops.one_hot(ops.cast(y, "int32"), num_classes)
    return y


def weighted(weights: Any, sample_weight: Any) -> Any:
    """Weights `(B,)` or `(B, M)`, times those of a user.

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
    """Weights `(B,)` of mixed pairs as `(B, 1)`; all others as they are."""
    if sample_weight is None or not is_pair(x) or len(sample_weight.shape) > 1:
        return sample_weight
    return sample_weight[:, None]
