from dataclasses import dataclass

from keras_mixvit._checks import require_known


@dataclass(frozen=True)
class Published:
    """A row of a paper's table: its reported figures and its recipe.

    Args:
        paper: `"MixViT"` or `"MixMo"`.
        table: String, the table or figure, such as `"Table 2c"`.
        row: String, the row in the words of the paper.
        figures: Tuple of `(metric, value)` or `(metric, value, deviation)`: accuracies
            in percent, NLL in nats, parameters in millions. It is empty for a curve
            without numbers. Defaults to `()`.
        recipe: String, the name of the recipe, or `None` if the paper only quotes the
            row. Defaults to `None`.
        note: String, a remark about the row. Defaults to `""`.

    Example:

    ```python
    row = Published("MixMo", "Table 1", "CutMix", (("top1", 84.05),))
    assert row.value("top1") == 84.05
    ```

    References:
        MixViT, Section 4; MixMo, Section 4.
    """

    paper: str
    table: str
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
