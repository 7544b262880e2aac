from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.layers._convolution import regularizer
from keras_mixvit.layers._mlp import normal


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SubnetworkHeads(keras.layers.Layer):
    """M dense classification layers, one per subnetwork, in one product.

    Logits have the dtype of the weights, float32 under mixed precision.

    Args:
        num_classes: Integer, the number K of classes.
        num_subnetworks: Integer, the number M of subnetworks.
        initializer: Initialiser of the weights of one head, `(f, K)`, or
            `None` for a normal distribution of standard deviation 0.02.
            Defaults to `None`.
        l2: Non-negative float, the weight of the sum of squares of all
            parameters in the loss. Defaults to `0.0`.

    Call arguments:
        features: `(B, f)`, shared by all heads, or `(B, M, f)`, one row for each head.
        subnetwork: Integer, the only head to use, or `None` for all.

    Input shape:
        `(B, f)` or `(B, M, f)`.

    Output shape:
        `(B, M, K)`, or `(B, 1, K)` for a single head.

    Raises:
        ValueError: If an argument is not a positive integer, or `subnetwork` is not the
            index of a subnetwork.

    Example:

    ```python
    heads = SubnetworkHeads(num_classes=10, num_subnetworks=2)
    assert heads(np.zeros((4, 16))).shape == (4, 2, 10)
    ```

    References:
        MixViT, Section 2.1 (the dense layers d_i).
    """

    def __init__(
        self,
        num_classes: int,
        num_subnetworks: int,
        initializer: keras.initializers.Initializer | None = None,
        l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        require_positive_integer("num_classes", num_classes)
        require_positive_integer("num_subnetworks", num_subnetworks)
        self.num_classes = num_classes
        require(0 <= l2 < float("inf"), "`l2` must not be negative.", l2=l2)
        self.num_subnetworks = num_subnetworks
        self.initializer = keras.initializers.get(initializer)
        self.l2 = l2

    def build(self, features_shape: tuple) -> None:
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.num_subnetworks, features_shape[-1], self.num_classes),
            initializer=self._per_head,
            regularizer=regularizer(self.l2),
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(self.num_subnetworks, self.num_classes),
            initializer="zeros",
            regularizer=regularizer(self.l2),
        )

    def _per_head(self, shape, dtype=None):
        if self.initializer is None:
            return normal()(shape, dtype)
        # Initialisers that count the inputs of a layer expect two axes.
        num_subnetworks, features, classes = shape
        drawn = self.initializer((features, num_subnetworks * classes), dtype)
        drawn = ops.reshape(drawn, (features, num_subnetworks, classes))
        return ops.transpose(drawn, (1, 0, 2))

    def call(self, features: Any, subnetwork: Any = None) -> Any:
        features, kernel, bias = (
            ops.cast(value, self.compute_dtype)
            for value in (features, self.kernel, self.bias)
        )
        if subnetwork is not None:
            require(
                0 <= subnetwork < self.num_subnetworks,
                f"`subnetwork` must be in 0 to {self.num_subnetworks - 1}.",
                subnetwork=subnetwork,
            )
            kernel = kernel[subnetwork : subnetwork + 1]
            bias = bias[subnetwork : subnetwork + 1]
        equation = "bf,mfk->bmk" if len(features.shape) == 2 else "bmf,mfk->bmk"
        logits = ops.einsum(equation, features, kernel) + bias
        return ops.cast(logits, self.variable_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "num_subnetworks": self.num_subnetworks,
            "initializer": self.initializer
            and keras.initializers.serialize(self.initializer),
            "l2": self.l2,
        }
