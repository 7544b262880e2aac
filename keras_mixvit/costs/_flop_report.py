from dataclasses import dataclass

from keras_mixvit.costs._appendix_a import AppendixA
from keras_mixvit.costs._cost import Cost

COLUMNS = ("multiply_adds", "flops")
OTHERS = ("biases", "norms", "activations", "softmax", "elementwise", "per_call")


@dataclass(frozen=True)
class FlopRow:
    """One call of a layer.

    Args:
        name: String, the path of the layer, such as `"body/block_0/mlp"`.
        stage: String, `"stem"`, `"body"`, `"trunk"`, `"heads"`, or `"mixing"`,
            `"attribution"` or `"other"` outside of these.
        layer_class: String, the name of its class.
        count: Integer, how often it runs per image: once, or once per subnetwork.
        cost: `Cost` of all these runs.
    """

    name: str
    stage: str
    layer_class: str
    count: int
    cost: Cost

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of convolutions and matrix products."""
        return self.cost.multiply_adds

    @property
    def flops(self) -> int:
        """Two per multiply-add and one per other operation."""
        return self.cost.flops


@dataclass(frozen=True)
class PerSubnetwork:
    """The cost of one subnetwork and of further ones.

    Args:
        alone: `Cost` of the network when it runs for one subnetwork only.
        further: `Cost` that each further subnetwork adds, or `None` if there is only
            one.
    """

    alone: Cost
    further: Cost | None

    @property
    def overhead(self) -> float:
        """Share of the FLOPs of `alone` that a further subnetwork adds."""
        return self.further.flops / self.alone.flops if self.further else 0.0


@dataclass(frozen=True)
class FlopReport:
    """The counts of `flops` for one image or one mixed sample, as numbers and a table.

    Args:
        name: String, the name of the model.
        rows: Tuple of `FlopRow`, one per call of a layer, in order.
        training: Boolean, whether the counts are of the forward pass in training.
            Defaults to `False`.
        skipped: Tuple of strings, the layers without a count. Defaults to `()`.
        per_subnetwork: `PerSubnetwork`, or `None` if the network is not a MIMO model.
            Defaults to `None`.
        paper: `AppendixA`, the MixViT paper's formulas for this
            configuration, or `None`. Defaults to `None`.

    Example:

    ```python
    report = flops(SingleNetwork(WideResNet((32, 32, 3), 10, 1), num_classes=10))
    assert report.total == sum(report.stages.values(), type(report.total)())
    print(report.table())
    ```
    """

    name: str
    rows: tuple[FlopRow, ...]
    training: bool = False
    skipped: tuple[str, ...] = ()
    per_subnetwork: PerSubnetwork | None = None
    paper: AppendixA | None = None

    @property
    def total(self) -> Cost:
        """`Cost` of one image, or of one mixed sample in training."""
        return sum((row.cost for row in self.rows), Cost())

    @property
    def stages(self) -> dict[str, Cost]:
        """`Cost` of every stage by name, in the order of computation."""
        names = dict.fromkeys(row.stage for row in self.rows if row.cost != Cost())
        return {name: self._stage(name) for name in names}

    @property
    def training_step_flops(self) -> int | None:
        """FLOPs forward and backward, by convention three times forward.

        For each product of the forward pass, the backward pass has two: one for the
        gradient of the input and one for that of the weights. This is an estimate, not
        a count. It is `None` unless `training` is true.
        """
        return 3 * self.total.flops if self.training else None

    def table(self, by_layer: bool = False) -> str:
        """The counts as text.

        Args:
            by_layer: Boolean, whether to list all calls of layers instead of the
                stages. Defaults to `False`.

        Returns:
            A table, followed by the cost of subnetworks, the values of the paper's
            formulas, and the layers without a count.
        """
        if by_layer:
            head = ["layer", "stage", "class", "count"]
            lines = [
                [row.name, row.stage, row.layer_class, row.count, *_numbers(row.cost)]
                for row in self.rows
                if row.cost != Cost()
            ]
        else:
            head = ["stage"]
            lines = [[name, *_numbers(cost)] for name, cost in self.stages.items()]
        blank = [""] * (len(head) - 1)
        names = [name.replace("_", " ") for name in (*COLUMNS, *OTHERS)]
        names[1] = "FLOPs"
        lines = [[*head, *names], *lines, ["total", *blank, *_numbers(self.total)]]
        return "\n".join([*_aligned(lines, len(head)), *self._notes()])

    def _stage(self, name):
        return sum((row.cost for row in self.rows if row.stage == name), Cost())

    def _notes(self):
        what = "mixed sample, forward" if self.training else "image"
        yield f"{self.name}: per {what}."
        if self.training:
            step = f"{self.training_step_flops:,}"
            yield f"Forward and backward, by the convention of 3 times: {step} FLOPs."
        pair = self.per_subnetwork
        if pair is not None and pair.further is not None:
            yield (
                f"One subnetwork alone: {pair.alone.flops:,} FLOPs; each further one: "
                f"{pair.further.flops:,} ({pair.overhead:.2%})."
            )
        if self.paper is not None:
            paper = self.paper
            yield (
                f"MixViT, Appendix A: {paper.multiply_adds:,} multiply-adds, "
                f"{paper.ratio:.3f} times a single network; its bounds "
                f"{paper.tight_ratio:.3f} and {paper.rough_ratio:.3f} (Section 2.4)."
            )
        if self.skipped:
            yield f"Not counted: {', '.join(self.skipped)}."


def _numbers(cost):
    return [getattr(cost, name) for name in (*COLUMNS, *OTHERS)]


def _aligned(lines, left):
    """Lines of cells, the first `left` columns left-aligned, others right-aligned."""
    cells = [[x if isinstance(x, str) else f"{x:,}" for x in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = [
            text.ljust(width) if i < left else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(padded).rstrip()
