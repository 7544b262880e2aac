"""Class attention in its textbook form, against which the layer is held."""

from keras import ops

from keras_mixvit.layers import ClassAttention


class PlainClassAttention(ClassAttention):
    """`ClassAttention` that forms the keys and values of all N + 1 tokens."""

    def call(self, token, grid, training=None):
        _, height, columns, width = grid.shape
        tokens = ops.reshape(grid, (-1, height * columns, width))
        tokens = ops.concatenate([token[:, None], tokens], axis=1)
        query = ops.matmul(token[:, None], self.query_kernel)
        key = ops.matmul(tokens, self.key_kernel)
        value = ops.matmul(tokens, self.value_kernel)
        if self.qkv_bias:
            query = query + self.query_bias
            key = key + self.key_bias
            value = value + self.value_bias
        query, key, value = (self._split(x) for x in (query, key, value))
        query = query * query.shape[-1] ** -0.5
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        weights = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        weights = ops.cast(weights, self.compute_dtype)
        # The shape of the layer's own weights, hence the same dropout draw.
        weights = self.attention_dropout(weights[:, :, 0], training=training)
        attended = ops.matmul(weights[:, :, None], value)
        attended = ops.reshape(attended, (-1, token.shape[-1]))
        output = ops.matmul(attended, self.projection_kernel) + self.projection_bias
        return self.dropout(output, training=training)

    def _split(self, tokens):
        _, count, width = tokens.shape
        shape = (-1, count, self.num_heads, width // self.num_heads)
        return ops.transpose(ops.reshape(tokens, shape), (0, 2, 1, 3))
