"""Checks arguments; all errors have the same form."""

import difflib
import numbers
import operator
import os
from typing import TypeGuard


def require(condition: object, requirement: str, **received) -> None:
    """Raises `ValueError("<requirement> Received: <name>=<value>, ...")`.

    Args:
        condition: Whether the requirement is met, a boolean of Python or NumPy.
        requirement: A sentence such as "`x` must be positive.".
        **received: The received values, by name.
    """
    if not condition:
        values = ", ".join(f"{name}={value!r}" for name, value in received.items())
        raise ValueError(f"{requirement} Received: {values}")


def require_choice(name: str, value, choices) -> None:
    """Requires `value` to be one of `choices`."""
    listed = ", ".join(repr(choice) for choice in choices)
    require(
        is_among(value, choices), f"`{name}` must be one of {listed}.", **{name: value}
    )


def require_known(
    name: str, value, known, listed_by: str = "", advice: str = ""
) -> None:
    """Requires `value` to be a `known` name; the error suggests the nearest one.

    If none is near, the error lists all, or says in `listed_by` where to find the list.
    `advice` is a sentence that follows, on what to do without a name.
    """
    if is_among(value, known):
        return
    near = difflib.get_close_matches(str(value), list(known), n=3, cutoff=0.5)
    listed = ", ".join(repr(choice) for choice in near or known)
    hint = f"Nearest: {listed}." if near else listed_by or f"Known: {listed}."
    hint = f"{hint} {advice}" if advice else hint
    require(False, f"`{name}` must be a known name. {hint}", **{name: value})


def is_among(value, choices) -> bool:
    """Whether `value` is one of `choices`, for a value of any type."""
    try:
        return bool(value in choices)
    # A list has no hash, and comparing arrays gives no single truth value.
    except (TypeError, ValueError):
        return False


def is_integer(value) -> TypeGuard[int]:
    """Whether `value` is an integer and not a boolean."""
    if isinstance(value, bool):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def is_number(value) -> bool:
    """Whether `value` is a real number of Python or NumPy and not a boolean."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def numbers_of(value) -> list:
    """A list of one number or of a flat sequence of numbers; `[]` for anything else."""
    value = value.tolist() if hasattr(value, "tolist") else value
    values = value if isinstance(value, (tuple, list)) else [value]
    return list(values) if all(map(is_number, values)) else []


def require_positive_integer(name: str, value, minimum: int = 1) -> None:
    """Requires `value` to be an integer of at least `minimum`."""
    require(
        is_integer(value) and value >= minimum,
        f"`{name}` must be an integer of at least {minimum}.",
        **{name: value},
    )


def require_rate(name: str, value) -> None:
    """Requires `value` to be a share in [0, 1)."""
    require(
        is_number(value) and 0 <= value < 1,
        f"`{name}` must be in [0, 1).",
        **{name: value},
    )


def require_temperature(value) -> None:
    """Requires `value` to be what logits may be divided by."""
    require(
        is_number(value) and 0 < value < float("inf"),
        "`temperature` must be a positive finite number.",
        temperature=value,
    )


def require_path(name: str, value) -> None:
    """Requires `value` to be the path of a file or folder, or a name."""
    require(
        isinstance(value, (str, os.PathLike)),
        f"`{name}` must be a string or an `os.PathLike`.",
        **{name: value},
    )


def require_image_size(value) -> tuple[int, int] | None:
    """The size (H, W) of an `image_size` of one or two integers."""
    size = (value, value) if is_integer(value) else value
    is_pair = isinstance(size, (tuple, list)) and len(size) == 2
    require(
        size is None or (is_pair and all(is_integer(n) and n > 0 for n in size)),
        "`image_size` must be a positive integer, two of them, or None.",
        image_size=value,
    )
    return size and tuple(size)


def require_heads(width: int, num_heads: int) -> None:
    """Requires that the number of attention heads divides the width."""
    require(
        width % num_heads == 0,
        "`num_heads` must divide the width.",
        num_heads=num_heads,
        width=width,
    )
