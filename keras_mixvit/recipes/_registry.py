"""Every named recipe and every row of the papers' tables."""

import dataclasses
import fnmatch
import functools
from collections.abc import Callable

from keras_mixvit._checks import require, require_known
from keras_mixvit.recipes._mixmo_main_tables import main_rows
from keras_mixvit.recipes._mixmo_other_tables import other_rows
from keras_mixvit.recipes._mixvit_tables import mixvit_rows
from keras_mixvit.recipes._own_recipes import own_recipes
from keras_mixvit.recipes._published import Published
from keras_mixvit.recipes._quoted_rows import quoted_rows
from keras_mixvit.recipes._recipe import Recipe

# Short names of the most common recipes.
ALIASES = {
    "digits": "digits-mixvit",
    "mixvit-convit": "cifar100-convit-mixvit-embedding",
    "mixvit-embedding": "cifar100-convit-mixvit-embedding",
    "mixvit-encoding": "cifar100-convit-mixvit-encoding",
    "mixvit-tiny-imagenet": "tiny-imagenet-cait-xs24-mixvit-encoding",
    "mixvit-imagenet100": "imagenet100-cait-xs24-mixvit-embedding",
    "mixvit-imagenet": "imagenet1k-cait-m24-mixvit-embedding",
    "convit": "cifar100-convit-single",
    "wrn28-10": "cifar100-wrn28-10-vanilla",
    "cutmix": "cifar100-wrn28-10-cutmix",
    "mixup": "cifar100-wrn28-10-mixup",
    "manifold-mixup": "cifar100-wrn28-10-manifold-mixup",
    "deep-ensemble": "cifar100-wrn28-10-vanilla-n2",
    "mimo": "cifar100-wrn28-10-mimo-b4",
    "linear-mixmo": "cifar100-wrn28-10-linear-mixmo-b4",
    "cut-mixmo": "cifar100-wrn28-10-cut-mixmo-b4",
    "cut-mixmo-cutmix": "cifar100-wrn28-10-cut-mixmo-cutmix-b4",
    "cut-mixmo-tiny-imagenet": "tiny-imagenet-res18-3-cut-mixmo-b4",
    "cut-mixmo-imagenet": "imagenet1k-res18-7-cut-mixmo-b2",
}


@functools.cache
def _registry() -> tuple[dict[str, Recipe], tuple[Published, ...]]:
    found, rows = {}, []
    for made in own_recipes():
        found[made.name] = made
    for table in (mixvit_rows(), main_rows(), other_rows()):
        for made, row in table:
            known = found.setdefault(made.name, made)
            require(
                known == made,
                "`name` must be that of one recipe.",
                name=made.name,
            )
            rows.append(dataclasses.replace(row, recipe=made.name))
    by_recipe = {name: [] for name in found}
    for row in rows:
        by_recipe[row.recipe].append(row)
    found = {
        name: dataclasses.replace(made, published=tuple(by_recipe[name]))
        for name, made in found.items()
    }
    return found, (*rows, *quoted_rows())


def recipe(name: str) -> Recipe:
    """A recipe by its name, or by a short name.

    Args:
        name: String, such as `"cifar100-convit-mixvit-embedding"`, or one of
            `recipe_aliases`, such as `"mixvit-convit"`.

    Returns:
        A `Recipe`.

    Raises:
        ValueError: If no recipe has that name; the error suggests the nearest.

    Example:

    ```python
    assert recipe("mixvit-convit").published[0].value("accuracy") == 82.4
    assert recipe("cut-mixmo").repetitions == 4
    ```

    References:
        MixViT, Tables 1 to 8; MixMo, Tables 1 to 9.
    """
    found, _ = _registry()
    require_known("name", name, (*ALIASES, *found))
    return found[ALIASES.get(name, name)]


def recipes(filter: str | Callable[[Recipe], bool] | None = None) -> list[Recipe]:
    """All recipes, or some.

    Args:
        filter: String, a part of the name or a pattern with `*` and `?`; a
            function that returns whether to list a recipe; or `None` for all.
            Defaults to `None`.

    Returns:
        List of `Recipe`, in the order of the tables.

    Example:

    ```python
    assert len(recipes("digits-*")) == len(recipes(lambda r: r.data == "digits"))
    ```

    References:
        MixViT; MixMo.
    """
    found = _registry()[0].values()
    if filter is None:
        return list(found)
    if isinstance(filter, str):
        return [made for made in found if _matches(made.name, filter)]
    require(
        callable(filter),
        "`filter` must be a string, a function of a recipe, or None.",
        filter=filter,
    )
    return [made for made in found if filter(made)]


def published_rows(filter: str | None = None) -> list[Published]:
    """The rows of the papers' tables, quoted rows included.

    Args:
        filter: String, a part of `"PAPER PLACE: ROW"` or a pattern with `*`
            and `?`, such as `"MixMo Table 1:*"`, or `None` for all. Defaults to
            `None`.

    Returns:
        List of `Published`; the `recipe` of a quoted row is `None`.

    Example:

    ```python
    rows = published_rows("MixViT Table 3:*")
    assert [row.value("accuracy") for row in rows if row.recipe is None] == [76.1, 77.5]
    ```

    References:
        MixViT; MixMo.
    """
    rows = _registry()[1]
    if filter is None:
        return list(rows)
    require(
        isinstance(filter, str), "`filter` must be a string or None.", filter=filter
    )
    return [
        row for row in rows if _matches(f"{row.paper} {row.place}: {row.row}", filter)
    ]


def recipe_aliases() -> dict[str, str]:
    """Short names of recipes.

    Returns:
        Dict from short names to names.

    Example:

    ```python
    assert recipe_aliases()["mimo"] == "cifar100-wrn28-10-mimo-b4"
    ```
    """
    return dict(ALIASES)


def _matches(text, pattern):
    if "*" in pattern or "?" in pattern:
        return fnmatch.fnmatchcase(text, pattern)
    return pattern in text
