"""The tokens that class attention reads, beside which nothing else is formed."""

from typing import Any

from keras import ops

from keras_mixvit.layers._inner_calls import reshape


class AttendedTokens:
    """A class token and the tokens of a grid, as they are attended to.

    Args:
        token: Tensor `(B, d)`.
        grid: Tensor `(B, h, w, d)`.
    """

    def __init__(self, token: Any, grid: Any):
        _, height, width, features = grid.shape
        self.token = token
        self.grid = reshape(grid, (-1, height * width, features))

    def scores(self, queries: Any) -> Any:
        """Products `(B, heads, 1 + N)` of absorbed queries `(B, heads, d)`."""
        own = ops.einsum("bhd,bd->bh", queries, self.token)[..., None]
        return ops.concatenate([own, self._products(queries)], axis=-1)

    def weighted_sum(self, weights: Any) -> Any:
        """Sums `(B, heads, d)` of the tokens, with weights `(B, heads, 1 + N)`."""
        return weights[..., :1] * self.token[:, None, :] + self._sum(weights[..., 1:])

    def each(self, values: Any) -> Any:
        """Values per query as values per class token, which they are."""
        return values

    def _products(self, queries):
        return ops.einsum("bhd,bnd->bhn", queries, self.grid)

    def _sum(self, weights):
        return ops.einsum("bhn,bnd->bhd", weights, self.grid)


class SharedTokens(AttendedTokens):
    """Class tokens of M subnetworks, whose other tokens are those of one grid x.

    Token n of subnetwork m is `gain · (scales_mn x_n + rates_mn vectors_m) + offset`.
    All that depends on n is x_n and two numbers, so that the queries of all
    subnetworks meet one grid, and class token, vector and offset are three more
    tokens, each with weights of its own.

    Args:
        token: Tensor `(B, M, d)`, or `(B, d)` while the class token is the same
            for all subnetworks, whose queries then are the same, too.
        grid: Tensor `(B, h, w, d)`, the x.
        gain: Tensor `(d,)`.
        offset: Tensor `(d,)`.
        scales: Tensor `(B, M, h, w)`.
        rates: Tensor `(B, M, h, w)`.
        vectors: Tensor `(M, d)`.
    """

    def __init__(
        self,
        token: Any,
        grid: Any,
        gain: Any,
        offset: Any,
        scales: Any,
        rates: Any,
        vectors: Any,
    ):
        super().__init__(folded(token), grid)
        positions, width = self.grid.shape[1:]
        self.gain, self.subnetworks = gain, vectors.shape[0]
        self.queries = self.subnetworks if len(token.shape) == 3 else 1
        self.scales = reshape(scales, (-1, 1, positions))
        self.rates = reshape(rates, (-1, 1, positions))
        token = reshape(token, (-1, self.queries, 1, width))
        vectors = (vectors * gain)[None, :, None]
        rows = [token, vectors, reshape(offset, (1, 1, 1, width))]
        shape = (ops.shape(token)[0], self.subnetworks, 1, width)
        rows = ops.concatenate([ops.broadcast_to(row, shape) for row in rows], axis=2)
        self.rows = reshape(rows, (-1, 3, width))

    def scores(self, queries: Any) -> Any:
        """Products `(B·M, heads, 1 + N)` of absorbed queries.

        They are `(B·M, heads, d)`, or `(B, heads, d)` from tokens `(B, d)`.
        """
        shared = self._products(self._beside(queries * self.gain, self.queries))
        shared = self.each(self._apart(shared, queries.shape[1]))
        own, vector, offset = self._columns(
            ops.einsum("bhd,bkd->bhk", self.each(queries), self.rows)
        )
        grid = shared * self.scales + (vector * self.rates + offset)
        return ops.concatenate([own, grid], axis=-1)

    def weighted_sum(self, weights: Any) -> Any:
        """Sums `(B·M, heads, d)` of the tokens, with weights `(B·M, heads, 1 + N)`."""
        own, grid = weights[..., :1], weights[..., 1:]
        vector = ops.sum(grid * self.rates, axis=-1, keepdims=True)
        offset = ops.sum(grid, axis=-1, keepdims=True)
        shared = self._sum(self._beside(grid * self.scales, self.subnetworks))
        shared = self._apart(shared, weights.shape[1])
        weights = ops.concatenate([own, vector, offset], axis=-1)
        return shared * self.gain + ops.einsum("bhk,bkd->bhd", weights, self.rows)

    def each(self, values: Any) -> Any:
        """Values per query as values `(B·M, ...)` per subnetwork."""
        if self.queries == self.subnetworks:
            return values
        return ops.repeat(values, self.subnetworks, axis=0)

    def _columns(self, values):
        return [values[..., i : i + 1] for i in range(3)]

    def _beside(self, values, queries):
        """`(B·M, heads, k)` as `(B, M·heads, k)`, M the number of queries."""
        _, heads, last = values.shape
        return reshape(values, (-1, queries * heads, last))

    def _apart(self, values, heads):
        """`(B, M·heads, k)` as `(B·M, heads, k)`."""
        return reshape(values, (-1, heads, values.shape[-1]))


def folded(token: Any) -> Any:
    """Class tokens `(B, M, d)` as `(B·M, d)`; those of `(B, d)` are so."""
    return token if len(token.shape) == 2 else reshape(token, (-1, token.shape[-1]))


def per_subnetwork(token_shape: tuple, vectors_shape: tuple | None) -> tuple:
    """The shape of class tokens after they met a grid with M vectors, or none."""
    if vectors_shape is None:
        return token_shape
    return (token_shape[0], vectors_shape[0], token_shape[-1])


def unfolded(token: Any, shape: tuple) -> Any:
    """Inverts `folded`: class tokens `(B·M, d)` in the shape that they had."""
    return token if len(shape) == 2 else reshape(token, (-1, *shape[1:]))
