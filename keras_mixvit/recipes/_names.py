"""Names of recipes, short names, and patterns for them."""

import fnmatch

from keras_mixvit._checks import require, require_known
from keras_mixvit.recipes._papers import stored_recipes

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


def recipe_aliases() -> dict[str, str]:
    """Short names of the most common recipes.

    Returns:
        Dict from short names to names.

    Example:

    ```python
    assert recipe_aliases()["mimo"] == "cifar100-wrn28-10-mimo-b4"
    ```
    """
    return dict(ALIASES)


def whole_name(name: str, argument: str = "name") -> str:
    """The full name of a recipe, from its name or short name.

    Args:
        name: String.
        argument: String, the name of the argument, for errors. Defaults to
            `"name"`.

    Raises:
        ValueError: If no recipe has that name; the error suggests the nearest.
    """
    known = (*ALIASES, *stored_recipes())
    require_known(argument, name, known, "`keras-mixvit recipes` lists them.")
    return ALIASES.get(name, name)


def matches(text: str, pattern: str) -> bool:
    """Whether a text contains `pattern`, or matches its `*` and `?`."""
    if "*" in pattern or "?" in pattern:
        return fnmatch.fnmatchcase(text, pattern)
    return pattern in text


def is_recipe_file(name: str) -> bool:
    """Whether a name is the path of a recipe file."""
    require(isinstance(name, str), "`name` must be a string.", name=name)
    return name.endswith(".toml")
