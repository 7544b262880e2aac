from typing import Any, Self

import keras

from keras_mixvit._checks import is_number, require, require_choice
from keras_mixvit._seeds import child_seed
from keras_mixvit.layers._cpu_gradients import flat, unflat
from keras_mixvit.layers._inner_calls import within
from keras_mixvit.layers._layer_normalization import LayerNormalization
from keras_mixvit.layers._layer_scale import LayerScale
from keras_mixvit.layers._mlp import ACTIVATIONS, MLP
from keras_mixvit.layers._recomputation import RecomputableLayer, recomputable
from keras_mixvit.layers._stochastic_depth import StochasticDepth


@keras.saving.register_keras_serializable(package="keras_mixvit")
class TransformerBlock(RecomputableLayer):
    """A pre-norm transformer block around any attention layer.

    It computes `x += depth(scale(attention(norm(x))))`, then
    `x += depth(scale(mlp(norm(x))))`.

    Args:
        attention: Layer from tokens to tokens of the same shape, with a method
            `attention` that returns its attention weights.
        mlp_ratio: Positive float, the hidden features of the MLP per feature of a
            token. Defaults to `4.0`.
        layer_scale: Positive float, the initial gain of both branches, or
            `None` for no gain. Defaults to `None`.
        epsilon: Positive float, the epsilon of the normalisations. Defaults
            to `1e-06`.
        dropout_rate: Float in [0, 1), dropout in the MLP. Defaults to `0.0`.
        stochastic_depth_rate: Float in [0, 1), the share of samples whose
            branch is dropped in training. Defaults to `0.0`.
        seed: Integer seed of dropout and stochastic depth, or `None`.
            Defaults to `None`.
        recompute: Boolean, whether to compute the block again in the backward pass,
            which saves memory. Defaults to `False`.
        mlp_activation: `"gelu"`, `"quick_gelu"` or `"swiglu"`, as in `MLP`. Defaults to
            `"gelu"`.

    Input shape:
        The input shape of `attention`: a grid `(B, h, w, d)` or, with `SelfAttention`,
        a sequence `(B, T, d)`.

    Output shape:
        As the input.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    block = TransformerBlock(TalkingHeadsAttention(num_heads=4))
    assert block(np.zeros((2, 8, 8, 16))).shape == (2, 8, 8, 16)
    ```

    References:
        MixViT, Appendix A; CaiT, Section 2; ConViT, Section 3.
    """

    def __init__(
        self,
        attention: keras.layers.Layer,
        mlp_ratio: float = 4.0,
        layer_scale: float | None = None,
        epsilon: float = 1e-6,
        dropout_rate: float = 0.0,
        stochastic_depth_rate: float = 0.0,
        seed: int | None = None,
        recompute: bool = False,
        mlp_activation: str = "gelu",
        **kwargs: Any,
    ):
        super().__init__(recompute, **kwargs)
        require_choice("mlp_activation", mlp_activation, ACTIVATIONS)
        require(
            is_number(mlp_ratio) and mlp_ratio > 0,
            "`mlp_ratio` must be positive.",
            mlp_ratio=mlp_ratio,
        )
        require(
            is_number(epsilon) and epsilon > 0,
            "`epsilon` must be positive.",
            epsilon=epsilon,
        )
        self.attention = attention
        self.mlp_ratio = mlp_ratio
        self.layer_scale = layer_scale
        self.epsilon = epsilon
        self.dropout_rate = dropout_rate
        self.stochastic_depth_rate = stochastic_depth_rate
        self.seed = seed
        self.mlp_activation = mlp_activation
        options = {"dtype": self.dtype_policy}
        norm = LayerNormalization
        self.attention_norm = norm(epsilon=epsilon, name="attention_norm", **options)
        self.mlp_norm = norm(epsilon=epsilon, name="mlp_norm", **options)
        self.attention_scale: Any = None
        self.mlp_scale: Any = None
        if layer_scale is not None:
            self.attention_scale = LayerScale(
                layer_scale, name="attention_scale", **options
            )
            self.mlp_scale = LayerScale(layer_scale, name="mlp_scale", **options)
        self.attention_depth = StochasticDepth(
            stochastic_depth_rate, child_seed(seed, 0), **options
        )
        self.mlp_depth = StochasticDepth(
            stochastic_depth_rate, child_seed(seed, 1), **options
        )

    def build(self, input_shape: tuple) -> None:
        # An attention layer from a config is already built.
        if not self.attention.built:
            self.attention.build(input_shape)
        self._build_around_attention(input_shape)

    def _build_around_attention(self, shape):
        self.mlp = MLP(
            int(shape[-1] * self.mlp_ratio),
            self.dropout_rate,
            child_seed(self.seed, 2),
            self.mlp_activation,
            dtype=self.dtype_policy,
            name="mlp",
        )
        self.attention_norm.build(shape)
        self.mlp_norm.build(shape)
        self.mlp.build(shape)
        if self.layer_scale is not None:
            self.attention_scale.build(shape)
            self.mlp_scale.build(shape)

    @recomputable
    def call(self, grid: Any, training: bool | None = None) -> Any:
        # Flat tokens keep the sum of all branches in one array of one shape.
        tokens = flat(grid)
        branch = unflat(within(self, self.attention_norm)(tokens), grid.shape)
        branch = within(self, self.attention)(branch, training=training)
        return self._add_branches(tokens, branch, grid.shape, training)

    def attention_map(self, grid: Any) -> Any:
        """Attention weights of the block, as `call` uses them in inference.

        Args:
            grid: The input of the block.

        Returns:
            Tensor `(B, num_heads, T, T)` for T tokens.
        """
        return self.attention.attention(self.attention_norm(grid))

    def _add_branches(self, tokens, branch, shape, training):
        if self.layer_scale is not None:
            branch = within(self, self.attention_scale)(branch)
        depth = within(self, self.attention_depth)
        tokens = tokens + flat(depth(branch, training=training))
        branch = within(self, self.mlp_norm)(tokens)
        branch = unflat(within(self, self.mlp)(branch, training=training), shape)
        if self.layer_scale is not None:
            branch = within(self, self.mlp_scale)(branch)
        branch = flat(within(self, self.mlp_depth)(branch, training=training))
        return unflat(tokens + branch, shape)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "attention": keras.saving.serialize_keras_object(self.attention),
            "mlp_ratio": self.mlp_ratio,
            "layer_scale": self.layer_scale,
            "epsilon": self.epsilon,
            "dropout_rate": self.dropout_rate,
            "stochastic_depth_rate": self.stochastic_depth_rate,
            "seed": self.seed,
            "mlp_activation": self.mlp_activation,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        attention = keras.saving.deserialize_keras_object(config["attention"])
        return cls(**{**config, "attention": attention})
