"""A part of a recipe: the name of what it builds, and its options."""

from collections.abc import Mapping
from typing import Any

from keras_mixvit._checks import require

# The parts that may be None, for no options.
WITHOUT = ("mixing", "pairs", "optimizer")


class Part:
    """A part of a recipe: a name, and options for what is built under that name.

    The options go directly to the constructor, whose signature lists them. Instead of a
    `Part`, you can pass a string, which is a name without options, or a dict of the
    options and the `name`.

    Args:
        name: String, or `""` for a part that only has options. Defaults to
            `""`.
        **options: Arguments of the constructor.

    Example:

    ```python
    mine = Recipe(backbone=Part("convit", width=96))
    assert mine == Recipe(backbone={"name": "convit", "width": 96})
    assert mine.backbone.options == {"width": 96}
    ```
    """

    def __init__(self, name: str = "", **options: Any):
        require(
            isinstance(name, str),
            "`name` must be a string.",
            name=name,
        )
        self._name, self._options = name, options

    @property
    def name(self) -> str:
        """The name of what the part builds."""
        return self._name

    @property
    def options(self) -> dict[str, Any]:
        """The options that differ from the defaults, by name."""
        return dict(self._options)

    def to_dict(self) -> dict[str, Any]:
        """The name and the options, for a file.

        Returns:
            Dict of strings, numbers, booleans, `None` and tuples.
        """
        name = {"name": self.name} if self.name else {}
        return {**name, **self._options}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part):
            return NotImplemented
        return (self.name, self.options) == (other.name, other.options)

    def __hash__(self) -> int:
        return hash((self.name, tuple(sorted(self._options.items()))))

    def __repr__(self) -> str:
        words = [repr(self.name)] if self.name else []
        words += [f"{name}={value!r}" for name, value in self._options.items()]
        return f"Part({', '.join(words)})"


def as_part(field: str, value: Any) -> Part:
    """The `Part` for a string, a dict or a `Part`.

    Args:
        field: String, the field of the recipe, for errors.
        value: The value of the field.
    """
    if isinstance(value, Part):
        return value
    if value is None and field in WITHOUT:
        return Part()
    value = {"name": value} if isinstance(value, str) else value
    require(
        isinstance(value, Mapping) and all(isinstance(key, str) for key in value),
        f"`{field}` must be a `Part`, a string or a dict.",
        **{field: value},
    )
    options = dict(value)
    if "name" not in options:
        return Part(**options)
    name = options.pop("name")
    require(
        isinstance(name, str), f"`{field}.name` must be a string.", **{field: value}
    )
    require(name != "", f"`{field}` must not be an empty name.", **{field: value})
    return Part(name, **options)
