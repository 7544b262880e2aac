from typing import Any

import keras

from keras_mixvit.layers._inner_calls import within
from keras_mixvit.layers._recomputation import recomputable
from keras_mixvit.layers._transformer_block import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ClassAttentionBlock(TransformerBlock):
    """A transformer block that reads a grid and updates the class token only.

    `c += depth(scale(attention(norm(c), norm(grid))))`, then
    `c += depth(scale(mlp(norm(c))))`; the grid is not changed.

    Args:
        attention: Layer called with tokens `(B, d)` and a grid, such as
            `ClassAttention`.
        mlp_ratio: Positive float, hidden features of the MLP per feature of
            the token. Defaults to `4.0`.
        layer_scale: Positive float, the initial gain of both branches, or
            `None` for no gain. Defaults to `None`.
        epsilon: Positive float, the epsilon of the normalisations. Defaults
            to `1e-06`.
        dropout_rate: Float in [0, 1), dropout in the MLP. Defaults to `0.0`.
        stochastic_depth_rate: Float in [0, 1), the share of samples whose
            branch is dropped in training. Defaults to `0.0`.
        seed: Integer seed of dropout and stochastic depth, or `None`.
            Defaults to `None`.
        recompute: Boolean, whether to compute the block a second time in the
            backward pass, which stores less. Defaults to `False`.

    Call arguments:
        token: The class tokens, `(B, d)`.
        grid: The tokens attended to, `(B, h, w, d)`.
        training: Boolean, whether to apply dropout and stochastic depth.

    Input shape:
        `(B, d)` and `(B, h, w, d)`.

    Output shape:
        `(B, d)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    block = ClassAttentionBlock(ClassAttention(num_heads=4))
    token = block(np.zeros((2, 16)), np.zeros((2, 8, 8, 16)))
    assert token.shape == (2, 16)
    ```

    References:
        MixViT, Algorithm 2; CaiT, Section 3.
    """

    # Class attention has two inputs: Keras asks by the names of the arguments of
    # `call`.
    def build(  # type: ignore[override]
        self, token_shape: tuple, grid_shape: tuple
    ) -> None:
        if not self.attention.built:
            self.attention.build(token_shape, grid_shape)
        self._build_around_attention(token_shape)

    @recomputable
    def call(self, token: Any, grid: Any, training: bool | None = None) -> Any:
        norm = within(self, self.attention_norm)
        attention = within(self, self.attention)
        branch = attention(norm(token), norm(grid), training=training)
        return self._add_branches(token, branch, token.shape, training)

    def attention_map(  # type: ignore[override]
        self, token: Any, grid: Any
    ) -> Any:
        """Attention weights of the block, as `call` uses them in inference.

        Args:
            token: The class tokens, `(B, d)`.
            grid: The tokens attended to, `(B, h, w, d)`.

        Returns:
            Tensor `(B, num_heads, 1 + h·w)`, the class token first.
        """
        norm = self.attention_norm
        return self.attention.attention(norm(token), norm(grid))

    def compute_output_shape(  # type: ignore[override]
        self, token_shape: tuple, grid_shape: tuple
    ) -> tuple:
        return token_shape
