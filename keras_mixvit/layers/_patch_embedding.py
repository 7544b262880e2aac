from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require, require_positive_integer


@keras.saving.register_keras_serializable(package="keras_mixvit")
class PatchEmbedding(keras.layers.Layer):
    """Embeds square patches of an image linearly into a grid of tokens.

    It is a convolution whose kernel size and stride are the patch size, computed as one
    matrix product. Weights start uniform in ±1/sqrt(patch_size² · C), PyTorch's default
    for convolutions, which the published vision transformers use.

    Args:
        width: Integer, the number of features of a token.
        patch_size: Integer, the side of a patch in pixels.
        use_bias: Boolean, whether a bias is added. Defaults to `True`.

    Input shape:
        `(B, H, W, C)`; `patch_size` must divide H and W.

    Output shape:
        `(B, H / patch_size, W / patch_size, width)`.

    Raises:
        ValueError: If an argument is not a positive integer, or if
            `patch_size` does not divide the image size.

    Example:

    ```python
    grid = PatchEmbedding(width=384, patch_size=4)(np.zeros((2, 32, 32, 3)))
    assert grid.shape == (2, 8, 8, 384)
    ```

    References:
        MixViT, Section 2.1 (the linear layer e).
    """

    def __init__(
        self, width: int, patch_size: int, use_bias: bool = True, **kwargs: Any
    ):
        super().__init__(**kwargs)
        require_positive_integer("width", width)
        require_positive_integer("patch_size", patch_size)
        self.width = width
        self.patch_size = patch_size
        self.use_bias = bool(use_bias)

    def build(self, input_shape: tuple) -> None:
        _, height, image_width, channels = input_shape
        require_divides(self.patch_size, (height, image_width))
        fan_in = self.patch_size**2 * channels
        bound = fan_in**-0.5
        self.kernel = self.add_weight(
            name="kernel",
            shape=(fan_in, self.width),
            initializer=keras.initializers.RandomUniform(-bound, bound),
        )
        self.bias: Any = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.width,),
                initializer=keras.initializers.RandomUniform(-bound, bound),
            )

    def call(self, images: Any) -> Any:
        _, height, width, channels = images.shape
        p = self.patch_size
        h, w = height // p, width // p
        patches = ops.reshape(images, (-1, h, p, w, p, channels))
        patches = ops.transpose(patches, (0, 1, 3, 2, 4, 5))
        patches = ops.reshape(patches, (-1, h, w, p * p * channels))
        patches = ops.cast(patches, self.compute_dtype)
        tokens = ops.matmul(patches, self.kernel)
        return tokens if self.bias is None else tokens + self.bias

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, height, width, _ = input_shape
        p = self.patch_size
        return (batch, height // p, width // p, self.width)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "width": self.width,
            "patch_size": self.patch_size,
            "use_bias": self.use_bias,
        }


def require_divides(patch_size: int, image_size: tuple[int, int]) -> None:
    """Requires that patches tile an image of (height, width) pixels."""
    require(
        all(side % patch_size == 0 for side in image_size),
        "`patch_size` must divide the image size.",
        patch_size=patch_size,
        image_size=tuple(image_size),
    )
