"""Recipes as others may read them: without the folders of this machine."""

import os
from collections.abc import Mapping
from typing import Any

# Prefixes of names of sets.
HUGGING_FACE = "hf:"
SHARDS = "wds:"


def without_folder(name: str) -> str:
    """A name whose path, if it is absolute, has only its last part.

    Args:
        name: String, the name or path of a data set.
    """
    # A name without dots is one on the hub.
    for prefix, dots in ((HUGGING_FACE, "./"), (SHARDS, ""), ("", "")):
        place, mark, options = name.removeprefix(prefix).partition("?")
        if name.startswith(prefix) and os.path.isabs(place):
            last = os.path.basename(os.path.normpath(place))
            return f"{prefix}{dots}{last}{mark}{options}"
    return name


def without_folders(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a recipe, images and preset without their folders.

    Args:
        values: Fields of a recipe, as its TOML file has them.
    """
    found = dict(values)
    data = found.get("data")
    if isinstance(data, Mapping) and "name" in data:
        found["data"] = {**data, "name": without_folder(data["name"])}
    # `hf://owner/name` is no path.
    if os.path.isabs(found.get("preset", "")):
        found["preset"] = os.path.basename(os.path.normpath(found["preset"]))
    return found
