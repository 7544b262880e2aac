from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require, require_positive_integer, require_rate
from keras_mixvit.layers._dropout import Dropout
from keras_mixvit.layers._mlp import normal


@keras.saving.register_keras_serializable(package="keras_mixvit")
class PrefixTokens(keras.layers.Layer):
    """Gives every sample the same learned tokens, to put before its patches.

    They are the class token, from which the head predicts the class, and registers,
    which give attention a place to write to. All start from a normal distribution of
    standard deviation 0.02.

    Args:
        class_token: Boolean, whether the first token is a class token. Defaults to
            `True`.
        num_registers: Integer, the number of registers, which come next.
            Defaults to `0`.
        has_positions: Boolean, whether to add a position vector to each token. Defaults
            to `True`.
        dropout_rate: Float in [0, 1), the share of features dropped. Defaults
            to `0.0`.
        seed: Integer seed of the dropout, or `None`. Defaults to `None`.

    Input shape:
        `(B, h, w, d)`; only the sizes B and d are used.

    Output shape:
        `(B, P, d)`, where P is the number of tokens.

    Raises:
        ValueError: If there is no token, or an argument is out of its range.

    Example:

    ```python
    tokens = PrefixTokens(num_registers=4)(np.zeros((2, 8, 8, 384)))
    assert tokens.shape == (2, 5, 384)
    ```

    References:
        ViT (Dosovitskiy et al., 2021), Eq. 1; Darcet et al., *Vision
        transformers need registers*, 2024.
    """

    def __init__(
        self,
        class_token: bool = True,
        num_registers: int = 0,
        has_positions: bool = True,
        dropout_rate: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        require_positive_integer("num_registers", num_registers, minimum=0)
        require(
            class_token or num_registers,
            "`num_registers` must be at least 1 without a class token.",
            num_registers=num_registers,
        )
        require_rate("dropout_rate", dropout_rate)
        self.class_token = bool(class_token)
        self.num_registers = num_registers
        self.has_positions = bool(has_positions)
        self.dropout_rate = dropout_rate
        self.seed = seed
        self.dropout = Dropout(dropout_rate, seed=seed, dtype=self.dtype_policy)

    @property
    def num_tokens(self) -> int:
        """The number P of tokens."""
        return int(self.class_token) + self.num_registers

    def build(self, input_shape: tuple) -> None:
        width = input_shape[-1]
        self.token: Any = None
        self.registers: Any = None
        self.positions: Any = None
        if self.class_token:
            self.token = self._vectors("class_token", 1, width)
        if self.num_registers:
            self.registers = self._vectors("register_tokens", self.num_registers, width)
        if self.has_positions:
            self.positions = self._vectors("position_embedding", self.num_tokens, width)

    def _vectors(self, name, count, width):
        return self.add_weight(name=name, shape=(count, width), initializer=normal())

    def call(self, grid: Any, training: bool | None = None) -> Any:
        kinds = [x for x in (self.token, self.registers) if x is not None]
        tokens = [ops.cast(x, self.compute_dtype) for x in kinds]
        tokens = tokens[0] if len(tokens) == 1 else ops.concatenate(tokens, axis=0)
        if self.positions is not None:
            tokens = tokens + ops.cast(self.positions, self.compute_dtype)
        shape = (ops.shape(grid)[0], *tokens.shape)
        return self.dropout(ops.broadcast_to(tokens, shape), training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.num_tokens, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_token": self.class_token,
            "num_registers": self.num_registers,
            "has_positions": self.has_positions,
            "dropout_rate": self.dropout_rate,
            "seed": self.seed,
        }
