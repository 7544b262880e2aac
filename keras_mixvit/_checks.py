"""One form for every error that a user meets."""

import difflib


def require(condition: bool, requirement: str, **received) -> None:
    """Raises `ValueError("<requirement> Received: <name>=<value>, ...")`.

    Args:
        condition: Whether the requirement is met.
        requirement: A sentence such as "`x` must be positive.".
        **received: What was received instead, by name.
    """
    if not condition:
        values = ", ".join(f"{name}={value!r}" for name, value in received.items())
        raise ValueError(f"{requirement} Received: {values}")


def require_choice(name: str, value, choices) -> None:
    """Requires `value` to be one of `choices`."""
    listed = ", ".join(repr(choice) for choice in choices)
    require(value in choices, f"`{name}` must be one of {listed}.", **{name: value})


def require_known(name: str, value, known) -> None:
    """Requires `value` to be one of many `known` names, and tells the nearest."""
    if value in known:
        return
    near = difflib.get_close_matches(str(value), list(known), n=3, cutoff=0.5)
    listed = ", ".join(repr(choice) for choice in near or known)
    hint = f"Nearest: {listed}." if near else f"Known: {listed}."
    require(False, f"`{name}` must be a known name. {hint}", **{name: value})


def is_integer(value) -> bool:
    """Whether `value` is an integer and not a boolean."""
    return hasattr(value, "__index__") and not isinstance(value, bool)


def require_positive_integer(name: str, value, minimum: int = 1) -> None:
    """Requires `value` to be an integer of at least `minimum`."""
    require(
        is_integer(value) and value >= minimum,
        f"`{name}` must be an integer of at least {minimum}.",
        **{name: value},
    )


def require_rate(name: str, value) -> None:
    """Requires `value` to be a share in [0, 1)."""
    require(0 <= value < 1, f"`{name}` must be in [0, 1).", **{name: value})


def require_heads(width: int, num_heads: int) -> None:
    """Requires the attention heads to divide the width."""
    require(
        width % num_heads == 0,
        "`num_heads` must divide the width.",
        num_heads=num_heads,
        width=width,
    )
