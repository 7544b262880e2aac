"""The cost of one call of a layer, by kind of operation."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Cost:
    """Numbers of operations by kind; you can add costs.

    Args:
        multiply_adds: Integer, the multiply-adds of convolutions and matrix products,
            with padded positions. Defaults to `0`.
        biases: Integer, one per element that gets a bias. Defaults to `0`.
        norms: Integer, the operations of normalisations. Defaults to `0`.
        activations: Integer, one per element of an activation function.
            Defaults to `0`.
        softmax: Integer, five per element of a softmax. Defaults to `0`.
        elementwise: Integer, everything else: sums of branches, gains, masks,
            pooling. Defaults to `0`.
        per_call: Integer, operations once per call, for any number of images; not part
            of any sum. Defaults to `0`.
    """

    multiply_adds: int = 0
    biases: int = 0
    norms: int = 0
    activations: int = 0
    softmax: int = 0
    elementwise: int = 0
    per_call: int = 0

    @property
    def flops(self) -> int:
        """FLOPs: two per multiply-add and one per other operation on an image."""
        others = self.biases + self.activations + self.softmax + self.elementwise
        return 2 * self.multiply_adds + self.norms + others

    @property
    def with_norms(self) -> int:
        """Multiply-adds plus norms, the flops of the MixMo paper."""
        return self.multiply_adds + self.norms

    def __add__(self, other):
        return Cost(*map(sum, zip(self.numbers(), other.numbers(), strict=True)))

    def __sub__(self, other):
        return self + Cost(*(-number for number in other.numbers()))

    def __floordiv__(self, divisor: int):
        return Cost(*(number // divisor for number in self.numbers()))

    def numbers(self) -> tuple[int, ...]:
        """The fields, in their order."""
        return tuple(getattr(self, field.name) for field in fields(self))
