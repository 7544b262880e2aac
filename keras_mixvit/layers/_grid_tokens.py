"""The tokens of a grid, as class attention reads them."""

from typing import Any

from keras import ops

from keras_mixvit.layers._inner_calls import reshape


class GridTokens:
    """Tokens that are there as they are attended to.

    Args:
        grid: Tensor `(B, h, w, d)`.
    """

    def __init__(self, grid: Any):
        _, height, width, features = grid.shape
        self.count = height * width
        self.tokens = reshape(grid, (-1, self.count, features))

    def scores(self, queries: Any) -> Any:
        """Products `(B, heads, N)` of queries `(B, heads, d)` with the tokens."""
        return ops.einsum("bhd,bnd->bhn", queries, self.tokens)

    def weighted_sum(self, weights: Any) -> Any:
        """Sums `(B, heads, d)` of the tokens, with weights `(B, heads, N)`."""
        return ops.einsum("bhn,bnd->bhd", weights, self.tokens)


class AttributedTokens(GridTokens):
    """Tokens of M subnetworks, which differ by a vector and a rate: one grid of all.

    Token n of subnetwork m is `gain · (scales_mn x_n + rates_mn vectors_m) + offset`,
    and queries are absorbed by what does not depend on n. Hence the product over
    N tokens is the one with the x_n, and M grids are never formed.

    Args:
        grid: Tensor `(B, h, w, d)`, the x.
        gain: Tensor `(d,)`.
        offset: Tensor `(d,)`.
        scales: Tensor `(B, M, h, w)`.
        rates: Tensor `(B, M, h, w)`.
        vectors: Tensor `(M, d)`.
    """

    def __init__(
        self, grid: Any, gain: Any, offset: Any, scales: Any, rates: Any, vectors: Any
    ):
        super().__init__(grid)
        self.gain, self.offset, self.vectors = gain, offset, vectors
        self.scales, self.rates = (
            reshape(values, (-1, 1, self.count)) for values in (scales, rates)
        )

    def scores(self, queries: Any) -> Any:
        """Products `(B·M, heads, N)` of queries `(B·M, heads, d)` with the tokens."""
        _, heads, width = queries.shape
        gained = queries * self.gain
        shared = super().scores(self._beside(gained))
        shared = reshape(shared, (-1, heads, self.count))
        own = ops.einsum("bmhd,md->bmh", self._apart(gained), self.vectors)
        own = reshape(own, (-1, heads, 1))
        constant = ops.matmul(queries, reshape(self.offset, (width, 1)))
        return shared * self.scales + own * self.rates + constant

    def weighted_sum(self, weights: Any) -> Any:
        """Sums `(B·M, heads, d)` of the tokens, with weights `(B·M, heads, N)`."""
        heads, width = weights.shape[1], self.vectors.shape[-1]
        shared = super().weighted_sum(self._beside(weights * self.scales))
        rates = ops.sum(weights * self.rates, axis=-1, keepdims=True)
        own = self._apart(rates) * self.vectors[:, None]
        pooled = self._apart(reshape(shared, (-1, heads, width))) + own
        pooled = reshape(pooled * self.gain, (-1, heads, width))
        return pooled + ops.sum(weights, axis=-1, keepdims=True) * self.offset

    def _beside(self, values):
        """`(B·M, heads, k)` as `(B, M·heads, k)`."""
        _, heads, last = values.shape
        return reshape(values, (-1, self.vectors.shape[0] * heads, last))

    def _apart(self, values):
        """`(B·M, heads, k)` as `(B, M, heads, k)`."""
        _, heads, last = values.shape
        return reshape(values, (-1, self.vectors.shape[0], heads, last))
