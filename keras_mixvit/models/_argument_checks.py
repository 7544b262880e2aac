"""Errors for arguments of Keras's methods that would have no effect."""

from typing import Any

import keras
import numpy as np

from keras_mixvit._checks import is_integer, require


def is_data_set(x: Any) -> bool:
    """Whether data come in batches already, as from a `PyDataset`."""
    if isinstance(x, keras.utils.PyDataset):
        return True
    return not (x is None or isinstance(x, (dict, list, tuple)) or hasattr(x, "shape"))


def require_effect(x: Any, **options: Any) -> None:
    """Refuses arguments that a data set would ignore.

    Args:
        x: The data that a user passes.
        **options: Arguments of `fit`, `evaluate` or `predict`, by name, that work with
            arrays only.

    Raises:
        ValueError: If one of them is set and `x` is a data set.
    """
    if not is_data_set(x):
        return
    advice = {
        "y": "the data set gives the labels",
        "batch_size": "the data set has its own batches",
        "sample_weight": "the data set gives the weights, such as "
        "`mixed_pair_dataset(..., sample_weight=weights)`",
        "validation_split": "pass `validation_data`",
    }
    for name, value in options.items():
        require(
            value is None or (name == "validation_split" and not value),
            f"`{name}` must not be set where `x` is a data set: {advice[name]}.",
            **{name: value if np.ndim(value) == 0 else type(value).__name__},
        )


def require_fit_options(
    x: Any, options: dict, validation_data: Any, epochs: Any
) -> None:
    """Refuses further arguments of `fit` that would have no effect.

    Args:
        x: The training data.
        options: Dict of the further arguments of `fit`.
        validation_data: The validation data, or `None`.
        epochs: Integer, the number of epochs.

    Raises:
        ValueError: If an argument would be ignored, or would leak images.
    """
    split = options.get("validation_split") or 0
    require(
        not (split and isinstance(x, dict)),
        "`validation_split` must be 0 for mixed pairs, whose images are in other "
        "pairs, too. Pass `validation_data`.",
        validation_split=split,
    )
    for name in ("validation_batch_size", "validation_steps"):
        value = options.get(name)
        require(
            value is None or validation_data is not None or split,
            f"`{name}` must not be set without `validation_data`.",
            **{name: value},
        )
    size = options.get("validation_batch_size")
    require(
        size is None or not is_data_set(validation_data),
        "`validation_batch_size` must not be set if `validation_data` is a data set, "
        "which has its own batches.",
        validation_batch_size=size,
    )
    first = options.get("initial_epoch", 0)
    require(
        is_integer(first) and 0 <= first <= epochs,
        f"`initial_epoch` must be in 0 to {epochs}, the number of epochs.",
        initial_epoch=first,
    )


def require_pairs_options(pairs: Any, epochs: int | None, shuffle: bool | None) -> None:
    """Refuses arguments that contradict a data set of mixed pairs.

    Args:
        pairs: `MixedPairDataset`.
        epochs: That of `fit`.
        shuffle: That of `fit`.

    Raises:
        ValueError: If `epochs` differs from the data set's, or `shuffle` is set.
    """
    require(
        epochs in (None, pairs.epochs),
        f"`epochs` must be the same as in the data set, {pairs.epochs}.",
        epochs=epochs,
    )
    require(
        shuffle is None,
        "`shuffle` must not be set for mixed pairs: "
        "`mixed_pair_dataset(..., shuffle=True)` shuffles them.",
        shuffle=shuffle,
    )


def require_weights(sample_weight: Any, num_subnetworks: int | None) -> None:
    """Requires one sample weight for each sample, or for each input of a pair.

    Args:
        sample_weight: Array or tensor, or `None`.
        num_subnetworks: Integer M for mixed pairs, or `None` for images.

    Raises:
        ValueError: If the weights have another shape.
    """
    if sample_weight is None:
        return
    shape = tuple(sample_weight.shape)
    columns = {1, num_subnetworks} if num_subnetworks else {1}
    wanted = "(B,), (B, 1) or (B, M)" if num_subnetworks else "(B,) or (B, 1)"
    require(
        len(shape) == 1 or (len(shape) == 2 and shape[1] in columns),
        f"`sample_weight` must have shape {wanted}.",
        shape=shape,
    )


def full_weights(sample_weight: Any, x: Any, num_subnetworks: int) -> Any:
    """Weights of arrays with one number for each label.

    On TensorFlow, a step would not know the rank of weights: TensorFlow forgets it if
    it changes from one call to the next.

    Args:
        sample_weight: Array-like, or `None`.
        x: Images, or a mixed pair.
        num_subnetworks: Integer M.

    Returns:
        Array `(n,)`, or of mixed pairs `(n, M)`; or `None`.

    Raises:
        ValueError: If their shape is another one, or they are not finite.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight)
    is_pair = isinstance(x, dict) and "masks" in x
    require_weights(weights, num_subnetworks if is_pair else None)
    count = len(x["masks"] if is_pair else x)
    require(
        len(weights) == count,
        "`sample_weight` and `x` must have the same length.",
        sample_weight=len(weights),
        x=count,
    )
    require(
        weights.dtype.kind in "biuf" and np.isfinite(weights).all(),
        "`sample_weight` must be finite numbers.",
        dtype=str(weights.dtype),
    )
    if is_pair:
        return np.broadcast_to(weights.reshape(count, -1), (count, num_subnetworks))
    return weights.reshape(-1)
