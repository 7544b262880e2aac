"""Every named recipe and every row of the papers' tables."""

import fnmatch
from collections.abc import Callable

from keras_mixvit._checks import require, require_known
from keras_mixvit.recipes._papers import paper_recipes, paper_rows
from keras_mixvit.recipes._published import Published
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
    assert recipe("cut-mixmo").repetitions == 4
    ```

    References:
        MixViT, Tables 1 to 8; MixMo, Tables 1 to 9.
    """
    found = paper_recipes()
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
    assert len(recipes("digits-*")) == len(recipes(lambda r: r.data.name == "digits"))
    ```

    References:
        MixViT; MixMo.
    """
    found = paper_recipes().values()
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


def published_rows(
    filter: str | None = None, recipe: str | None = None
) -> list[Published]:
    """The rows of the papers' tables, quoted rows included.

    Args:
        filter: String, a part of `"PAPER TABLE: ROW"` or a pattern with `*`
            and `?`, such as `"MixMo Table 1:*"`, or `None` for all. Defaults to
            `None`.
        recipe: String, the name or short name of a recipe, for its rows only,
            or `None`. Defaults to `None`.

    Returns:
        List of `Published`; the `recipe` of a quoted row is `None`.

    Example:

    ```python
    rows = published_rows("MixViT Table 3:*")
    assert [row.value("accuracy") for row in rows if row.recipe is None] == [76.1, 77.5]
    assert published_rows(recipe="mixvit-convit")[0].value("accuracy") == 82.4
    ```

    References:
        MixViT; MixMo.
    """
    require(
        filter is None or isinstance(filter, str),
        "`filter` must be a string or None.",
        filter=filter,
    )
    if recipe is not None:
        require_known("recipe", recipe, (*ALIASES, *paper_recipes()))
        recipe = ALIASES.get(recipe, recipe)
    return [
        row
        for row in paper_rows()
        if recipe in (None, row.recipe)
        and (filter is None or _matches(f"{row.paper} {row.table}: {row.row}", filter))
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
