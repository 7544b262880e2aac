"""The two heads of a distilled DeiT, of which a prediction is the mean.

Here they are one head on both tokens. Its kernel is half of each, one above the other.
"""

import numpy as np

HEADS = ("head", "head_dist")


def with_one_head(arrays: dict) -> dict:
    """timm's arrays with one head in place of two.

    Args:
        arrays: Dict from timm's names to arrays. If it does not hold two heads that
            fit together, it stays as it is, for an error to say so.
    """
    names = [f"{head}.{kind}" for kind in ("weight", "bias") for head in HEADS]
    if any(name not in arrays for name in names):
        return arrays
    *kernels, first, second = (arrays[name] for name in names)
    if kernels[0].shape != kernels[1].shape or first.shape != second.shape:
        return arrays
    if kernels[0].ndim != 2:
        return arrays
    found = dict(arrays)
    del found[f"{HEADS[1]}.weight"], found[f"{HEADS[1]}.bias"]
    found["head.weight"] = np.concatenate(kernels, axis=1) / 2
    found["head.bias"] = (first + second) / 2
    return found


def with_two_heads(arrays: dict) -> dict:
    """The inverse of `with_one_head`; both heads get the same bias.

    Args:
        arrays: Dict from timm's names to arrays.
    """
    found = dict(arrays)
    kernels = np.split(2 * found.pop("head.weight"), 2, axis=-1)
    bias = found.pop("head.bias")
    for head, kernel in zip(HEADS, kernels, strict=True):
        found |= {f"{head}.weight": np.ascontiguousarray(kernel), f"{head}.bias": bias}
    return found
