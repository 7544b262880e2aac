"""How a recipe weighs the classes of its images."""

import numpy as np

from keras_mixvit._checks import require


def class_weight_for(recipe, num_classes: int) -> str | dict | None:
    """What `fit` takes as `class_weight`.

    Args:
        recipe: `Recipe`.
        num_classes: Integer, the number K of classes.

    Raises:
        ValueError: If the recipe has weights of another number of classes.

    Example:

    ```python
    from keras_mixvit.recipes._class_weighting import class_weight_for

    recipe = Recipe(class_weight=(1, 2.5))
    assert class_weight_for(recipe, num_classes=2) == {0: 1, 1: 2.5}
    ```
    """
    if not isinstance(recipe.class_weight, tuple):
        return recipe.class_weight
    require(
        len(recipe.class_weight) == num_classes,
        f"`class_weight` must be {num_classes} numbers, one for each class, or "
        '"balanced".',
        class_weight=recipe.class_weight,
    )
    return dict(enumerate(recipe.class_weight))


def require_class_weight(class_weight) -> None:
    """Requires the weights of a recipe to be such, whatever its images.

    Args:
        class_weight: The field of a recipe.

    Raises:
        ValueError: If it is something else.
    """
    is_numbers = isinstance(class_weight, tuple) and all(
        isinstance(weight, (int, float)) and np.isfinite(weight) and weight >= 0
        for weight in class_weight
    )
    require(
        class_weight in (None, "balanced") or (is_numbers and len(class_weight) > 0),
        '`class_weight` must be None, "balanced", or finite numbers that are not '
        "negative, one for each class.",
        class_weight=class_weight,
    )
