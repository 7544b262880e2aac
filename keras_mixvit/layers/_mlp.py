from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import (
    require_choice,
    require_positive_integer,
    require_rate,
)
from keras_mixvit.layers._cpu_gradients import flat, gelu, unflat
from keras_mixvit.layers._dropout import Dropout
from keras_mixvit.layers._inner_calls import within

ACTIVATIONS = ("gelu", "quick_gelu", "swiglu")


@keras.saving.register_keras_serializable(package="keras_mixvit")
class MLP(keras.layers.Layer):
    """The two-layer perceptron of a transformer block, with GELU or SwiGLU.

    GELU: `y = W2 gelu(W1 x)`, plus biases. Quick GELU, which CLIP has, is
        `x sigmoid(1.702 x)`. SwiGLU gates the hidden features: the first layer has
        twice as many outputs, and the SiLU of the first half multiplies the second.

    Args:
        hidden_width: Integer, the number of hidden features.
        dropout_rate: Float in [0, 1), the share of features dropped after
            each of the two layers. Defaults to `0.0`.
        seed: Integer seed of the dropout, or `None`. Defaults to `None`.
        activation: `"gelu"`, which is exact, `"quick_gelu"` or `"swiglu"`. Defaults to
            `"gelu"`.

    Input shape:
        `(..., d)`.

    Output shape:
        `(..., d)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    tokens = MLP(hidden_width=64)(np.zeros((2, 8, 8, 16)))
    assert tokens.shape == (2, 8, 8, 16)
    ```

    References:
        MixViT, Appendix A, step 5; Shazeer, *GLU variants improve
        transformer*, 2020.
    """

    def __init__(
        self,
        hidden_width: int,
        dropout_rate: float = 0.0,
        seed: int | None = None,
        activation: str = "gelu",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        require_positive_integer("hidden_width", hidden_width)
        require_rate("dropout_rate", dropout_rate)
        require_choice("activation", activation, ACTIVATIONS)
        self.hidden_width = hidden_width
        self.dropout_rate = dropout_rate
        self.seed = seed
        self.activation = activation
        outputs = hidden_width * (2 if activation == "swiglu" else 1)
        self.expand = linear(outputs, dtype=self.dtype_policy, name="expand")
        # One layer for both: its generator advances at every call.
        self.dropout = Dropout(dropout_rate, seed=seed, dtype=self.dtype_policy)

    def build(self, input_shape: tuple) -> None:
        self.project = linear(input_shape[-1], dtype=self.dtype_policy, name="project")
        self.expand.build(input_shape)
        self.project.build((*input_shape[:-1], self.hidden_width))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        expand, project = within(self, self.expand), within(self, self.project)
        dropout = within(self, self.dropout)
        hidden = expand(flat(inputs))
        if self.activation == "gelu":
            hidden = gelu(hidden, training)
        elif self.activation == "quick_gelu":
            hidden = hidden * ops.sigmoid(1.702 * hidden)
        else:
            gate, values = ops.split(hidden, 2, axis=-1)
            hidden = ops.silu(gate) * values
        hidden = dropout(hidden, training=training)
        outputs = dropout(project(hidden), training=training)
        return unflat(outputs, inputs.shape)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden_width": self.hidden_width,
            "dropout_rate": self.dropout_rate,
            "seed": self.seed,
            "activation": self.activation,
        }


def linear(units: int, **kwargs: Any) -> keras.layers.Dense:
    """A dense layer with the initialisation of the published transformers.

    They cut a normal distribution of standard deviation 0.02 at an absolute 2. That is
    a hundred standard deviations away, so this is the ordinary normal distribution.
    """
    kwargs.setdefault("kernel_initializer", normal())
    return keras.layers.Dense(units, **kwargs)


def normal() -> keras.initializers.Initializer:
    """The initialiser of linear weights, tokens and tables."""
    return keras.initializers.RandomNormal(stddev=0.02)
