from dataclasses import dataclass, fields

from keras_mixvit._checks import require, require_known
from keras_mixvit.recipes._settings import LARGEST, is_of

# Fields of text, with their values where a row does not say them.
TEXTS = {"paper": None, "place": None, "row": None, "recipe": None, "note": ""}


@dataclass(frozen=True)
class Published:
    """A row of a paper's table: what was reported, and which recipe it is.

    Args:
        paper: `"MixViT"` or `"MixMo"`.
        place: String, the table or figure, such as `"Table 2c"`.
        row: String, the row in the words of the paper.
        figures: Tuple of `(metric, value)` or `(metric, value, deviation)`:
            accuracies in percent, NLL in nats, parameters in millions.
            Defaults to `()`, where a figure shows a curve without numbers.
        recipe: String, the name of the recipe, or `None` where the paper only
            quotes the row. Defaults to `None`.
        note: String, what is to be known about the row. Defaults to `""`.

    Example:

    ```python
    row = Published("MixMo", "Table 1", "CutMix", (("top1", 84.05),))
    assert row.value("top1") == 84.05
    ```

    References:
        MixViT, Section 4; MixMo, Section 4.
    """

    paper: str
    place: str
    row: str
    figures: tuple[tuple, ...] = ()
    recipe: str | None = None
    note: str = ""

    def value(self, metric: str) -> float:
        """The published value of a metric.

        Args:
            metric: String, one of those in `figures`.

        Returns:
            Float.
        """
        values = {name: value for name, value, *_ in self.figures}
        require_known("metric", metric, values)
        return values[metric]

    @classmethod
    def from_dict(cls, values: dict) -> "Published":
        """The row of which `dataclasses.asdict` told.

        Args:
            values: Dict from names of fields to values.

        Returns:
            A `Published`.

        Raises:
            ValueError: If the values are not of the kinds of the fields.
        """
        require(
            isinstance(values, dict),
            "A row of `published` must be a dict.",
            row=values,
        )
        for name in values:
            require_known("setting", name, [field.name for field in fields(cls)])
        for name, default in TEXTS.items():
            value = values.get(name, default)
            require(
                isinstance(value, str) or (name, value) == ("recipe", None),
                f"`{name}` must be a string.",
                **{name: value},
            )
        figures = values.get("figures", ())
        require(
            isinstance(figures, (list, tuple)) and all(map(_is_figure, figures)),
            "`figures` must be a list of [metric, value] or [metric, value, "
            "deviation].",
            figures=figures,
        )
        return cls(**{**values, "figures": tuple(map(tuple, figures))})


def _is_figure(figure):
    is_row = isinstance(figure, (list, tuple)) and len(figure) in (2, 3)
    return (
        is_row
        and isinstance(figure[0], str)
        and all(is_of(value, (float,)) and abs(value) < LARGEST for value in figure[1:])
    )
