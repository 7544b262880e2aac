from keras_mixvit._checks import require
from keras_mixvit.recipes._names import matches, whole_name
from keras_mixvit.recipes._papers import paper_rows
from keras_mixvit.recipes._published import Published


def published_rows(
    filter: str | None = None, recipe: str | None = None
) -> list[Published]:
    """The rows of the papers' tables, also quoted ones, to compare with your results.

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
        recipe = whole_name(recipe, "recipe")
    return [
        row
        for row in paper_rows()
        if recipe in (None, row.recipe)
        and (filter is None or matches(f"{row.paper} {row.table}: {row.row}", filter))
    ]
