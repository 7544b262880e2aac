"""Names of sets with a prefix, a path or name, and options."""

import os
from urllib.parse import parse_qsl

from keras_mixvit._checks import require
from keras_mixvit._published_paths import HUGGING_FACE, SHARDS

STARTS = ("/", "./", "../", ".\\", "..\\", "~")


def parted(name: str, known: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The place and the options of a name such as `hf:owner/name?label=fine`.

    Args:
        name: String with a prefix.
        known: Names of the options.

    Returns:
        What stands between prefix and question mark, and a dict.

    Raises:
        ValueError: If there is no place, or an option is unknown or has no value.
    """
    prefix, _, rest = name.partition(":")
    place, mark, text = rest.partition("?")
    try:
        # A plus is no blank: names of columns are written as they are.
        pairs = parse_qsl(text.replace("+", "%2B"), True, True) if mark else []
    except ValueError:
        pairs = [("", "")]
    options = dict(pairs)
    listed = "&".join(f"{key}=..." for key in known)
    require(
        place
        and set(options) <= set(known)
        and len(options) == len(pairs)
        and all(options.values()),
        f"`name` must be {prefix}:PLACE, or {prefix}:PLACE?{listed} with some of these "
        "options.",
        name=name,
    )
    return place, options


def is_local(place: str) -> bool:
    """Whether `hf:` is followed by a path, and not by the name of a set.

    Such a path is absolute, or begins with `./`, `../` or `~`, or is that of a
    `.parquet` file.
    """
    is_dots = place in (os.curdir, os.pardir)
    return is_dots or place.startswith(STARTS) or place.endswith(".parquet")


def whole_path(place: str, data_dir=None) -> str:
    """The path of a place, which a folder may hold."""
    return os.path.abspath(os.path.join(data_dir or "", os.path.expanduser(place)))


def with_whole_path(name: str) -> str:
    """A name of files with their absolute path; other names stay as they are."""
    for prefix in (HUGGING_FACE, SHARDS):
        place, mark, options = name.removeprefix(prefix).partition("?")
        if name.startswith(prefix) and (prefix == SHARDS or is_local(place)):
            return f"{prefix}{whole_path(place)}{mark}{options}"
    return name


def address_label(name: str) -> str:
    """A name in a table: of files, only the last part of their path."""
    place = name.partition("?")[0]
    prefix, _, rest = place.partition(":")
    if prefix + ":" == HUGGING_FACE and not is_local(rest):
        return place
    return f"{prefix}:{os.path.basename(os.path.normpath(rest))}"
