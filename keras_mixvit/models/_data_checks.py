"""Checks that data fit a model, before Keras sees them."""

from typing import Any

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.data.sources._array_checks import require_images, require_labels
from keras_mixvit.masks._mask_sampler import require_masks


def is_pair(x: Any) -> bool:
    """Whether inputs are mixed pairs."""
    return isinstance(x, dict) and "masks" in x


def require_pairs(model: Any) -> None:
    """Requires a model to take mixed pairs."""
    require(
        model.takes_pairs,
        "`x` must be images: an ensemble takes no mixed pairs.",
        model=model.name,
    )


def require_learnable(model: Any, x: Any, training: bool) -> None:
    """Requires mixed pairs in training, unless the model learns from images."""
    require(
        not training or model.learns_from_images,
        "`x` must be a mixed pair, a dict of `images` (B, M, H, W, C) and `masks` "
        "(B, M, h, w), as `mixed_pair_dataset` yields.",
        x=f"{type(x).__name__} of shape {tuple(getattr(x, 'shape', ()))}",
    )


def check_dataset(model: Any, dataset: Any) -> None:
    """Requires a `MixedPairDataset` to fit a model."""
    require_pairs(model)
    require(
        dataset.image_shape == model.image_shape,
        f"`x` must have images of shape {model.image_shape}.",
        image_shape=dataset.image_shape,
    )
    expected = masks_shape(model)
    require(
        dataset.masks_shape == expected,
        f"`x` must have masks of shape {expected}, (M, h, w): a mask sampler has the "
        f"`patch_size` of the backbone, {model.image_shape[0] // expected[1]}.",
        masks_shape=dataset.masks_shape,
    )
    require_labels("y", dataset.y, model.num_classes)
    layers, mixing = model.num_mixed_layers, dataset.manifold_mixing
    require(
        (mixing and mixing.num_layers) == layers,
        "`x` must be made without `manifold_mixing` for this model."
        if layers is None
        else "`x` must be made with "
        f"`manifold_mixing=ManifoldMixing(num_layers={layers})` for this model.",
        manifold_mixing=mixing,
    )


def check_arrays(model: Any, x: Any, y: Any) -> None:
    """Requires NumPy arrays of images, or of mixed pairs, to fit a model."""
    if isinstance(x, MixedPairDataset):
        require_pairs(model)
    if isinstance(x, dict) and all(isinstance(v, np.ndarray) for v in x.values()):
        require_pairs(model)
        needed = sorted(model.training_network.input)
        require(
            set(x) >= set(needed),
            f"`x` must have the keys {', '.join(f'`{name}`' for name in needed)}.",
            keys=sorted(x),
        )
        images = require_images("images", x["images"], rank=5)
        expected = (model.num_subnetworks, *model.image_shape)
        require(
            images.shape[1:] == expected,
            f"`images` must have shape (B, M, H, W, C) with (M, H, W, C) = {expected}.",
            shape=images.shape,
        )
        require_masks(x["masks"], (len(images), *masks_shape(model)))
        if "partners" in needed:
            partners = x["partners"]
            require(
                np.all((partners >= 0) & (partners < len(images))),
                f"`partners` must be in 0 to {len(images) - 1}.",
                range=(int(partners.min()), int(partners.max())),
            )
        if isinstance(y, np.ndarray):
            require_labels("y", y, model.num_classes, rank=2)
    elif isinstance(x, np.ndarray):
        images = require_images("x", x)
        require(
            images.shape[1:] == model.image_shape,
            f"`x` must have images of shape {model.image_shape}.",
            image_shape=images.shape[1:],
        )
        if isinstance(y, np.ndarray):
            require_labels("y", y, model.num_classes)
    else:
        return
    if isinstance(y, np.ndarray):
        require(
            len(images) == len(y),
            "`x` and `y` must have the same length.",
            x=len(images),
            y=len(y),
        )


def masks_shape(model: Any) -> tuple[int, int, int]:
    """Shape (M, h, w) of the masks that the model trains with."""
    return tuple(model.training_network.input["masks"].shape[1:])
