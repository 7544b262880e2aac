"""The named recipes."""

import functools
from collections.abc import Callable

from keras_mixvit._checks import require
from keras_mixvit.recipes._names import matches, whole_name
from keras_mixvit.recipes._papers import stored_recipes
from keras_mixvit.recipes._recipe import Recipe


def recipe(name: str) -> Recipe:
    """A named recipe, to train, change or read.

    Args:
        name: String, such as `"cifar100-convit-mixvit-embedding"`, or one of
            `recipe_aliases`, such as `"mixvit-convit"`.

    Returns:
        A `Recipe`.

    Raises:
        ValueError: If no recipe has that name; the error suggests the nearest.

    Example:

    ```python
    assert recipe("cut-mixmo").repetitions == 4
    ```

    References:
        MixViT, Tables 1 to 8; MixMo, Tables 1 to 9.
    """
    return _made(whole_name(name))


def recipes(filter: str | Callable[[Recipe], bool] | None = None) -> list[Recipe]:
    """All named recipes, or those that match a filter.

    Args:
        filter: String, a part of the name or a pattern with `*` and `?`; a function of
            a recipe that returns whether to list it; or `None` for all. Defaults to
            `None`.

    Returns:
        List of `Recipe`, in the order of the tables.

    Example:

    ```python
    assert len(recipes("digits-*")) == len(recipes(lambda r: r.data.name == "digits"))
    ```

    References:
        MixViT; MixMo.
    """
    require(
        filter is None or isinstance(filter, str) or callable(filter),
        "`filter` must be a string, a function of a recipe, or None.",
        filter=filter,
    )
    if isinstance(filter, str):
        return [_made(name) for name in stored_recipes() if matches(name, filter)]
    found = map(_made, stored_recipes())
    return [made for made in found if filter is None or filter(made)]


@functools.cache
def _made(name: str) -> Recipe:
    return Recipe.from_dict(stored_recipes()[name])
