"""The images of each sample, and their order."""

import numpy as np


def paired(rng, chosen, num_subnetworks: int, input_repetition: float):
    """Indices `(B, M)` of the inputs of each sample.

    Args:
        rng: The only source of chance.
        chosen: Array `(B,)` of indices of images, each as often as it is
            repeated.
        num_subnetworks: Integer M.
        input_repetition: Float in [0, 1], the share of samples that hold one
            image M times.

    Returns:
        Integer array whose every column is a permutation of `chosen`.
    """
    pairs = rng.permuted(np.tile(chosen, (num_subnetworks, 1)), axis=1)
    repeated = round(input_repetition * len(chosen))
    if repeated:
        # The last samples hold a single image; the others are permuted again.
        moved = len(chosen) - repeated
        pairs[1:] = pairs[0]
        pairs[1:, :moved] = rng.permuted(pairs[1:, :moved], axis=1)
    return pairs.T


def ordered(rng, input_order: str | None, pairs, masks):
    """Images and masks of each sample, permuted alike.

    Args:
        rng: The only source of chance.
        input_order: `"random"`; `"by_ratio"`, the largest mean mask first; or
            `None` to keep the order.
        pairs: Array `(B, M)` of indices of images.
        masks: Array `(B, M, h, w)`.

    Returns:
        The two arrays.

    References:
        MixMo, Table 3.
    """
    if input_order is None:
        return pairs, masks
    batch, num_subnetworks = masks.shape[:2]
    if input_order == "random":
        order = rng.permuted(np.tile(np.arange(num_subnetworks), (batch, 1)), axis=1)
    else:
        order = np.argsort(-masks.mean(axis=(2, 3)), axis=1, kind="stable")
    samples = np.arange(batch)[:, None]
    return pairs[samples, order], masks[samples, order]
