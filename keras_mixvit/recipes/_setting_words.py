"""Reads the settings of a recipe as a user types them."""

from collections.abc import Mapping
from typing import Any

from keras_mixvit._checks import require
from keras_mixvit.recipes._values import Text


def setting_words(settings: list[str] | Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names and values of settings.

    Args:
        settings: As in `Recipe.with_settings`.

    Raises:
        ValueError: If `settings` is something else.
    """
    if isinstance(settings, Mapping) and all(isinstance(key, str) for key in settings):
        return list(settings.items())
    require(
        isinstance(settings, (list, tuple))
        and all(isinstance(setting, str) for setting in settings),
        "`settings` must be a dict, or a list of strings, each of the form key=value.",
        settings=settings,
    )
    found = []
    for setting in settings:
        key, sign, text = setting.partition("=")
        require(
            bool(sign), "`settings` must be of the form key=value.", settings=setting
        )
        found.append((key.strip().replace("-", "_"), Text(text.strip())))
    return found
