"""Checks of `MixViT(inference=...)`, and the alternating pattern."""

import numpy as np

from keras_mixvit._checks import is_integer, require

SCHEMES = ("parallel", "sum", "alternating")


def require_inference(
    inference: str | int,
    num_subnetworks: int,
    source_attribution: str | None,
    input_mixing: str,
) -> None:
    """Requires a value of `inference` that fits the other arguments."""
    is_index = is_integer(inference) and 0 <= inference < num_subnetworks
    require(
        is_index or inference in SCHEMES,
        "`inference` must be 'parallel', 'sum', 'alternating' or the index of a "
        f"subnetwork, 0 to {num_subnetworks - 1}.",
        inference=inference,
    )
    require(
        inference == "parallel" or input_mixing != "all_tokens",
        "`inference` must be 'parallel' with `input_mixing='all_tokens'`: one pass "
        "feeds every head.",
        inference=inference,
    )
    require(
        is_index or inference == "parallel" or source_attribution is not None,
        "`inference` must be 'parallel' or an index without source attribution.",
        inference=inference,
    )


def alternating_masks(
    grid_shape: tuple[int, int], num_subnetworks: int, alternation: str, seed: int
) -> np.ndarray:
    """The one-hot pattern `(M, h, w)` of the source of each position.

    Args:
        grid_shape: Tuple of integers (h, w).
        num_subnetworks: Integer M.
        alternation: `"checkerboard"` or `"random"`.
        seed: Integer seed of the random pattern.
    """
    height, width = grid_shape
    if alternation == "checkerboard":
        positions = np.add.outer(np.arange(height), np.arange(width))
        sources = positions % num_subnetworks
    else:
        rng = np.random.default_rng(seed)
        sources = rng.integers(num_subnetworks, size=grid_shape)
    one_hot = np.arange(num_subnetworks)[:, None, None] == sources
    return one_hot.astype("float32")
