"""The CutMix box, in NumPy or any namespace with its functions."""

from collections.abc import Sequence

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit._types import Namespace, Size, Tensor


def box_coverage(
    ratios: Tensor,
    centers: Sequence[Tensor],
    image_size: Size,
    patch_size: int,
    xp: Namespace = np,
) -> Tensor:
    """Pixels of each patch that lie in a clipped CutMix box.

    A box of ratio r has the even sides `2 * (int(S * sqrt(r)) // 2)` around
    its centre and is clipped at the border of the image, as in the published
    MixMo code; its share of the image is smaller than r in most draws. No
    pixel mask is formed: the coverage is a product over the two axes.

    Args:
        ratios: Float tensor `(B,)` in [0, 1].
        centers: Pair of float tensors `(B,)`, row and column of the centre in
            pixels.
        image_size: Tuple of integers (H, W).
        patch_size: Integer, the side of a patch in pixels, dividing H and W.
        xp: Module with the functions of NumPy, such as `keras.ops`. Defaults
            to `numpy`.

    Returns:
        Float tensor `(B, H / patch_size, W / patch_size)`, pixels in the box.

    Raises:
        ValueError: If NumPy ratios are not in [0, 1] or NaN.

    Example:

    ```python
    ratios, centers = np.array([0.25]), (np.array([16.0]), np.array([16.0]))
    coverage = box_coverage(ratios, centers, (32, 32), patch_size=8)
    assert coverage.sum() == 16 * 16
    ```

    References:
        MixMo, Section 3.3; CutMix, Section 3.
    """

    if xp is np:  # A traced tensor has no values to check.
        require_ratios(ratios)
    edges = box_edges(ratios, centers, image_size, xp)
    return covered(edges, image_size, patch_size, xp)


def box_edges(
    ratios: Tensor,
    centers: Sequence[Tensor],
    image_size: Size,
    xp: Namespace = np,
) -> tuple:
    """Where a clipped CutMix box begins and ends.

    Args:
        ratios: Float tensor `(B,)` in [0, 1].
        centers: Pair of float tensors `(B,)`, row and column of the centre in
            pixels.
        image_size: Tuple of integers (H, W).
        xp: Module with the functions of NumPy. Defaults to `numpy`.

    Returns:
        Tuple of float tensors `(B,)`: top, bottom, left, right in pixels,
        bottom and right not in the box.
    """
    edges: tuple = ()
    for center, side in zip(centers, image_size, strict=True):
        half = xp.floor(xp.floor(side * xp.sqrt(ratios)) / 2)
        low = xp.maximum(center - half, 0.0)
        edges += (low, xp.minimum(center + half, float(side)))
    return edges


def covered(
    edges: Sequence[Tensor],
    image_size: Size,
    patch_size: int,
    xp: Namespace = np,
) -> Tensor:
    """Pixels of each patch between edges.

    Args:
        edges: Four float tensors `(B,)`: top, bottom, left, right in pixels.
        image_size: Tuple of integers (H, W).
        patch_size: Integer, the side of a patch in pixels, dividing H and W.
        xp: Module with the functions of NumPy. Defaults to `numpy`.

    Returns:
        Float tensor `(B, H / patch_size, W / patch_size)`.
    """

    def overlap(low, high, side):
        start = xp.arange(0, side, patch_size, dtype="float32")
        low, high = low[:, None], high[:, None]
        inside = xp.minimum(high, start + patch_size) - xp.maximum(low, start)
        return xp.maximum(inside, 0.0)

    top, bottom, left, right = edges
    rows = overlap(top, bottom, image_size[0])
    columns = overlap(left, right, image_size[1])
    return rows[:, :, None] * columns[:, None, :]


def patch_majority(
    coverage: Tensor, tie_coins: Tensor, patch_size: int, xp: Namespace = np
) -> Tensor:
    """1 where a box covers more than half of a patch, `tie_coins` at half.

    Args:
        coverage: Float tensor `(B, h, w)`, pixels of each patch in the box.
        tie_coins: Float tensor `(B,)` of 0 and 1, one fair coin per sample.
        patch_size: Integer, the side of a patch in pixels.
        xp: Module with the functions of NumPy. Defaults to `numpy`.

    Returns:
        Float tensor `(B, h, w)` of 0 and 1.

    Example:

    ```python
    won = patch_majority(np.array([[[9.0, 8.0, 7.0]]]), np.array([1.0]), 4)
    assert won.tolist() == [[[1.0, 1.0, 0.0]]]
    ```

    References:
        MixViT, Appendix H (corrected CutMix scheme).
    """
    half = patch_size**2 / 2
    tied = xp.where(coverage == half, tie_coins[:, None, None], 0.0)
    return xp.where(coverage > half, 1.0, tied)


def require_ratios(ratios) -> None:
    """Requires an array of shares in [0, 1], without NaN."""
    ratios = np.asarray(ratios)
    bad = ratios[~((ratios >= 0) & (ratios <= 1))]
    require(
        bad.size == 0,
        "`ratios` must be in [0, 1].",
        ratios=[float(ratio) for ratio in bad[:3]],
    )
