from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mixvit.backbones._convolutional import (
    ConvolutionalBackbone,
    ConvolutionalParts,
)
from keras_mixvit.layers import BasicBlock
from keras_mixvit.layers._convolution import batch_norm, convolution


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ResNet(ConvolutionalBackbone):
    """ResNet-18 for images of 224 x 224 pixels, MixMo's network on ImageNet.

    Stem: a 7 x 7 convolution with stride 2 to 64 channels; `MixMo` mixes inputs before
    its batch norm, on a grid of 112 x 112. Body: batch norm, ReLU, 3 x 3 max pooling
    with stride 2, then four groups of two blocks with 64, 128, 256 and 512 times
    `widening` channels; all groups but the first have stride 2. Trunk: average pooling.
    The paper does not say whether the stem is widened; here it is not, as in the
    paper's other networks.

    Args:
        image_shape: Tuple of integers (H, W, C). Defaults to `(224, 224, 3)`.
        widening: Integer, the factor w of the channels. Defaults to `1`.
        l2: Non-negative float, the weight of the sum of squares of all
            parameters in the loss. Defaults to `0.0`.
        mean: Float or sequence of C floats, subtracted from the images, or
            `None`. Defaults to `None`.
        std: Positive float or sequence of C floats, by which images are then
            divided, or `None`. Defaults to `None`.
        recompute: Boolean, whether to compute each block again in the backward pass,
            which saves memory and takes more time. Defaults to `False`.
        name: String, the name of the model. Defaults to `"resnet"`.
        dtype: Dtype or dtype policy, or `None` for the global policy.
            Defaults to `None`.

    Input shape:
        `(B, H, W, C)`, H and W even.

    Output shape:
        `(B, 512 · widening)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    backbone = ResNet((32, 32, 1))
    assert backbone.trunk.output.shape == (None, 512)
    ```

    References:
        MixMo, Section 6.9; He et al., Deep Residual Learning, 2016.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (224, 224, 3),
        widening: int = 1,
        l2: float = 0.0,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        recompute: bool = False,
        name: str = "resnet",
        dtype: Any = None,
    ):
        super().__init__(
            image_shape, 2, widening, l2, mean, std, recompute, name, dtype
        )
        self._make_network()

    def _stem_convolution(self, images, name):
        conv = convolution(
            64, 7, stride=2, padding="valid", name=name, **self._layer_options
        )
        return conv(ops.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0))))

    def _make_parts(self) -> ConvolutionalParts:
        norm = batch_norm(name="norm", **self._layer_options)
        groups = [
            [
                BasicBlock(
                    64 * 2**group * self.widening,
                    2 if group and not block else 1,
                    name=f"group_{group}_block_{block}",
                    **self._block_options,
                )
                for block in range(2)
            ]
            for group in range(4)
        ]
        return ConvolutionalParts(groups, norm)

    def apply_blocks(
        self, grid: Any, maps: dict[str, Any] | None = None, between: Any = None
    ) -> Any:
        grid = ops.relu(self._parts.norm(grid))
        # Values after a ReLU are at least 0, so padding with zeros does not change a
        # maximum.
        grid = ops.pad(grid, ((0, 0), (1, 1), (1, 1), (0, 0)))
        grid = ops.max_pool(grid, 3, 2, data_format="channels_last")
        return super().apply_blocks(grid, maps, between)
