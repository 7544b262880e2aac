"""The samples of a batch: images, masks, labels and draws."""

import keras
import numpy as np

from keras_mixvit.data._pairing import ordered, paired
from keras_mixvit.masks._mask_sampler import require_masks


def samples_of(pairs, rng, chosen, epoch, start, rows=None, candidates=None):
    """The samples of some images of a batch, which are paired with each other.

    Args:
        pairs: `MixedPairDataset`.
        rng: The only source of chance.
        chosen: Integer array `(B,)`, the images, each as often as it is repeated.
        epoch: Integer, counted from 0.
        start: Integer, the row of the first sample in the batch.
        rows: Slice of the samples to return, or `None` for all. Defaults to `None`.
        candidates: Integer array, the images with which pixels can be mixed, or
            `None` for all. Defaults to `None`.

    Returns:
        Dict of the inputs of a model; and labels `(B, M)` or `(B, M, K)`.
    """
    indices = paired(rng, chosen, pairs.masks.num_subnetworks, pairs.input_repetition)
    progress = (epoch + 1) / pairs.epochs
    masks = pairs.masks.draw(rng, len(indices), pairs.image_shape[:2], progress)
    masks = np.asarray(masks).astype("float32", copy=False)
    require_masks(masks, (len(indices), *pairs.masks_shape))
    indices, masks = ordered(rng, pairs.input_order, indices, masks)
    pipeline = pairs.pipeline
    images, labels, draws = pipeline.batch(rng, indices, masks, rows, candidates)
    key = "images" if pipeline.device_images is None else "indices"
    inputs = {key: images, "masks": masks}
    if pairs.augments_on_device:
        if "partner" in draws:
            draws["partner"] += start
        inputs["draws"] = draws
    elif key == "images":
        inputs["images"] = pipeline.apply(images, draws)
    if pairs.manifold_mixing is not None:
        partners, shares = pairs.manifold_mixing.draw(rng, len(indices))
        inputs |= {"partners": partners + start, "shares": shares}
        # All shares but one are 1.
        share = shares.prod(axis=1)[:, None, None]
        labels = share * labels + (1 - share) * labels[partners]
    if rows is not None:
        ready = (key, "draws")
        inputs = {k: v if k in ready else v[rows] for k, v in inputs.items()}
        labels = labels[rows]
    return inputs, labels


def joined(parts: list):
    """Nests of arrays, such as the parts of a batch, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
