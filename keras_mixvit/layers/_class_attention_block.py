from typing import Any

import keras
from keras import ops

from keras_mixvit.layers._attended_tokens import folded, per_subnetwork, unfolded
from keras_mixvit.layers._inner_calls import within
from keras_mixvit.layers._recomputation import recomputable
from keras_mixvit.layers._transformer_block import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ClassAttentionBlock(TransformerBlock):
    """A transformer block that reads a grid and updates the class token only.

    `c += depth(scale(attention(norm(c), norm(grid))))`, then
    `c += depth(scale(mlp(norm(c))))`; the grid is not changed.

    M subnetworks whose grids are x + e_m, as `SourceEmbedding` attributes them,
    can share one grid, with `norm(x_n + e_m) = gain (s_mn z_n + r_mn v_m) + offset`:
    z is the standardised x, v_m = e_m - mean(e_m), r_mn the reciprocal of the
    deviation of x_n + e_m, and s_mn that of x_n times it. Then no grid is
    normalised, and the class token is one for each of them.

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
        mlp_activation: `"gelu"`, `"quick_gelu"` or `"swiglu"`, as in `MLP`. Defaults to
            `"gelu"`.

    Call arguments:
        token: The class tokens, `(B, d)`, or `(B, M, d)` if M subnetworks share
            a grid. With a shared grid, `(B, d)` is one token for all of them.
        grid: The tokens attended to, `(B, h, w, d)`, or the z that they share.
        scales: The s, `(B, M, h, w)`, or `None` for one grid that is attended
            to as it is. They come with rates and vectors.
        rates: The r, `(B, M, h, w)`, or `None`.
        vectors: The v, `(M, d)`, or `None`.
        training: Boolean, whether to apply dropout and stochastic depth.

    Input shape:
        `(B, d)` and `(B, h, w, d)`.

    Output shape:
        As the class tokens, `(B, M, d)` with a shared grid.

    Raises:
        ValueError: If an argument is out of its range, or rates or vectors come
            without scales.

    Example:

    ```python
    block = ClassAttentionBlock(ClassAttention(num_heads=4))
    token = block(np.zeros((2, 16)), np.zeros((2, 8, 8, 16)))
    assert token.shape == (2, 16)
    ```

    References:
        MixViT, Eq. 3 and Algorithm 2; CaiT, Section 3.
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
    def call(
        self,
        token: Any,
        grid: Any,
        scales: Any = None,
        rates: Any = None,
        vectors: Any = None,
        training: bool | None = None,
    ) -> Any:
        norm = within(self, self.attention_norm)
        attention = within(self, self.attention)
        if scales is None:
            if rates is not None or vectors is not None:
                raise ValueError(
                    "`scales`, `rates` and `vectors` must be given together. Received: "
                    "scales=None"
                )
            branch = attention(norm(token), norm(grid), training=training)
            return self._add_branches(token, branch, token.shape, training)
        normed = unfolded(norm(folded(token)), token.shape)
        shared = (*self._gain_and_offset(), scales, rates, vectors)
        branch = attention(normed, grid, *shared, training=training)
        shape, subnetworks = branch.shape, vectors.shape[0]
        if len(token.shape) == 2:
            token = ops.repeat(token, subnetworks, axis=0)
        token, branch = folded(token), folded(branch)
        token = self._add_branches(token, branch, token.shape, training)
        return unfolded(token, shape)

    def attention_map(  # type: ignore[override]
        self, token: Any, grid: Any, *shared: Any
    ) -> Any:
        """Attention weights of the block, as `call` uses them in inference.

        Args:
            token: The class tokens, `(B, d)` or `(B, M, d)`.
            grid: The tokens attended to, `(B, h, w, d)`.
            *shared: Scales, rates and vectors, or none of them.

        Returns:
            Tensor `(B, num_heads, 1 + h·w)`, or `(B·M, num_heads, 1 + h·w)`, the
            class token first.
        """
        norm, attention = self.attention_norm, self.attention
        if not shared:
            return attention.attention(norm(token), norm(grid))
        return attention.attention(norm(token), grid, *self._gain_and_offset(), *shared)

    def _gain_and_offset(self):
        norm = self.attention_norm
        return [ops.cast(x, self.compute_dtype) for x in (norm.gamma, norm.beta)]

    def compute_output_shape(  # type: ignore[override]
        self,
        token_shape: tuple,
        grid_shape: tuple,
        vectors_shape: tuple | None = None,
    ) -> tuple:
        return per_subnetwork(token_shape, vectors_shape)
