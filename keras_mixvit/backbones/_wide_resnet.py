from collections.abc import Sequence
from typing import Any

import keras

from keras_mixvit._checks import (
    require,
    require_choice,
    require_positive_integer,
)
from keras_mixvit.backbones._convolutional import (
    ConvolutionalBackbone,
    ConvolutionalParts,
)
from keras_mixvit.layers import PreActivationBlock
from keras_mixvit.layers._convolution import batch_norm, convolution


@keras.saving.register_keras_serializable(package="keras_mixvit")
class WideResNet(ConvolutionalBackbone):
    """WideResNet for images of 32 x 32 pixels, the network of MixMo and MIMO on CIFAR.

    Stem: a 3 x 3 convolution to 16 channels for any `widening`. Body: three groups of
    `(depth - 4) / 6` blocks with 16, 32 and 64 times `widening` channels; the second
    and third have stride 2. Trunk: batch
    norm, ReLU, average pooling.

    Args:
        image_shape: Tuple of integers (H, W, C). Defaults to `(32, 32, 3)`.
        depth: Integer 6n + 4, the number of layers. Defaults to `28`.
        widening: Integer, the factor w of the channels. Defaults to `10`.
        strided_conv: `"second"`, as in the published MixMo, or `"first"`, as in MIMO
            (edward2): the convolution with the stride of a block. Defaults to
            `"second"`.
        l2: Non-negative float, the weight of the sum of squares of all
            parameters in the loss; the papers train with 3e-4. Defaults to
            `0.0`.
        mean: Float or sequence of C floats, subtracted from the images, or
            `None`. Defaults to `None`.
        std: Positive float or sequence of C floats, by which images are then
            divided, or `None`. Defaults to `None`.
        recompute: Boolean, whether to compute each block again in the backward pass,
            which saves memory and takes more time. Defaults to `False`.
        name: String, the name of the model. Defaults to `"wide_resnet"`.
        dtype: Dtype or dtype policy, or `None` for the global policy.
            Defaults to `None`.

    Input shape:
        `(B, H, W, C)`.

    Output shape:
        `(B, 64 · widening)`.

    Raises:
        ValueError: If `depth` is not 6n + 4, or an argument is out of its
            range.

    Example:

    ```python
    backbone = WideResNet((8, 8, 1), depth=10, widening=1)
    assert backbone.trunk.output.shape == (None, 64)
    ```

    References:
        MixMo, Section 4.1; Wide Residual Networks (Zagoruyko and Komodakis,
        2016).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (32, 32, 3),
        depth: int = 28,
        widening: int = 10,
        strided_conv: str = "second",
        l2: float = 0.0,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        recompute: bool = False,
        name: str = "wide_resnet",
        dtype: Any = None,
    ):
        require_positive_integer("depth", depth)
        require(
            depth > 4 and depth % 6 == 4,
            "`depth` must be 6n + 4 with n of at least 1.",
            depth=depth,
        )
        require_choice("strided_conv", strided_conv, ("second", "first"))
        super().__init__(
            image_shape, 1, widening, l2, mean, std, recompute, name, dtype
        )
        self.depth = depth
        self.strided_conv = strided_conv
        self._make_network()

    def _stem_convolution(self, images, name):
        return convolution(16, name=name, **self._layer_options)(images)

    def _make_parts(self) -> ConvolutionalParts:
        groups = [
            [
                PreActivationBlock(
                    16 * 2**group * self.widening,
                    2 if group and not block else 1,
                    "wide",
                    self.strided_conv,
                    name=f"group_{group}_block_{block}",
                    **self._block_options,
                )
                for block in range((self.depth - 4) // 6)
            ]
            for group in range(3)
        ]
        norm = batch_norm(name="norm", **self._layer_options)
        return ConvolutionalParts(groups, norm)

    def apply_trunk(self, grid: Any, maps: dict[str, Any] | None = None) -> Any:
        return super().apply_trunk(keras.ops.relu(self._parts.norm(grid)), maps)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "depth": self.depth, "strided_conv": self.strided_conv}
