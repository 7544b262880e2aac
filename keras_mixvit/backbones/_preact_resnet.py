from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mixvit.backbones._convolutional import (
    ConvolutionalBackbone,
    ConvolutionalParts,
)
from keras_mixvit.layers import PreActivationBlock
from keras_mixvit.layers._convolution import convolution


@keras.saving.register_keras_serializable(package="keras_mixvit")
class PreActResNet(ConvolutionalBackbone):
    """PreActResNet-18 for images of 64 x 64 pixels, MixMo's network on Tiny ImageNet.

    Stem: a 3 x 3 convolution with stride 2 to 64 channels for any `widening`. Body:
        four groups of two blocks with 64, 128, 256 and 512 times `widening` channels;
        all groups but the first have stride 2. Trunk: average pooling of the last sum,
        without batch norm and ReLU before it, as published.

    Args:
        image_shape: Tuple of integers (H, W, C). Defaults to `(64, 64, 3)`.
        widening: Integer, the factor w of the channels. Defaults to `1`.
        l2: Non-negative float, the weight of the sum of squares of all
            parameters in the loss. Defaults to `0.0`.
        mean: Float or sequence of C floats, subtracted from the images, or
            `None`. Defaults to `None`.
        std: Positive float or sequence of C floats, by which images are then
            divided, or `None`. Defaults to `None`.
        recompute: Boolean, whether to compute each block again in the backward pass,
            which saves memory and takes more time. Defaults to `False`.
        name: String, the name of the model. Defaults to `"preact_resnet"`.
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
    backbone = PreActResNet((16, 16, 1))
    assert backbone.trunk.output.shape == (None, 512)
    ```

    References:
        MixMo, Section 4.3; He et al., Identity Mappings in Deep Residual
        Networks, 2016.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (64, 64, 3),
        widening: int = 1,
        l2: float = 0.0,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        recompute: bool = False,
        name: str = "preact_resnet",
        dtype: Any = None,
    ):
        super().__init__(
            image_shape, 2, widening, l2, mean, std, recompute, name, dtype
        )
        self._make_network()

    def _stem_convolution(self, images, name):
        conv = convolution(
            64, stride=2, padding="valid", name=name, **self._layer_options
        )
        return conv(ops.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))))

    def _make_parts(self) -> ConvolutionalParts:
        groups = [
            [
                PreActivationBlock(
                    64 * 2**group * self.widening,
                    2 if group and not block else 1,
                    "preact",
                    name=f"group_{group}_block_{block}",
                    **self._block_options,
                )
                for block in range(2)
            ]
            for group in range(4)
        ]
        return ConvolutionalParts(groups)

    def head_initializer(self) -> keras.initializers.Initializer | None:
        # Unlike in WideResNet, the published heads start from 0.01.
        return keras.initializers.RandomNormal(stddev=0.01)
