from typing import Any, Self

import keras
from keras import ops

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit._old_names import with_new_names
from keras_mixvit.layers._patch_embedding import require_divides


@keras.saving.register_keras_serializable(package="keras_mixvit")
class BinarizedPatchCutMix(keras.layers.Layer):
    """Mixes M images into one, patch by patch, by masks that you pass.

    It returns the mixed images and the masks that it used. Masks on the grid of
    patches stay the same. Masks in pixels are averaged over each patch; with
    `binarize`, the input with the largest mean then gets the whole patch. Ties go to
    `tie_source`. Use `RandomPatchCutMix` if the layer should draw the masks.

    Args:
        patch_size: Integer, the side of a patch in pixels.
        binarize: Boolean; `False` keeps the mean of pixel masks over each
            patch. Defaults to `True`.

    Call arguments:
        images: The M inputs of each sample, `(B, M, H, W, C)`.
        masks: Share of each input at each position, `(B, M, h, w)` on the grid
            of patches or `(B, M, H, W)` in pixels, summing to 1 over M.
        tie_source: Integer, or integer tensor `(B,)`: the input that wins a tie for the
            largest mean. Defaults to `0`.

    Input shape:
        `(B, M, H, W, C)`, and `(B, M, h, w)` or `(B, M, H, W)`.

    Output shape:
        The mixed images `(B, H, W, C)` and the masks `(B, M, h, w)`.

    Raises:
        ValueError: If an argument is out of its range, images do not have rank 5,
            `patch_size` does not divide the image size, or the masks have another grid.

    Example:

    ```python
    images = np.random.default_rng(0).random((4, 2, 32, 32, 3))
    masks = PatchCutMix(4).draw(np.random.default_rng(0), 4, (32, 32))
    mixed, masks = BinarizedPatchCutMix(patch_size=4)(images, masks)
    assert mixed.shape == (4, 32, 32, 3) and masks.shape == (4, 2, 8, 8)
    ```

    References:
        MixViT, Section 2.1 and Appendix H (corrected CutMix scheme).
    """

    def __init__(self, patch_size: int, binarize: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        require_positive_integer("patch_size", patch_size)
        self.patch_size = patch_size
        self.binarize = binarize

    def build(self, images_shape: tuple, masks_shape: tuple) -> None:
        grid = require_patches(images_shape, self.patch_size)
        _, num_inputs, height, width, _ = images_shape
        require(
            tuple(masks_shape[1:])
            in ((num_inputs, *grid), (num_inputs, height, width)),
            f"`masks` must have shape (B, {num_inputs}, {grid[0]}, {grid[1]}) or "
            f"(B, {num_inputs}, {height}, {width}).",
            shape=tuple(masks_shape),
        )

    def call(self, images: Any, masks: Any, tie_source: Any = 0) -> Any:
        if self.patch_size > 1 and masks.shape[2:] == images.shape[2:4]:
            masks = self._on_patches(masks, tie_source)
        masks = ops.cast(masks, self.compute_dtype)
        return mixed_patches(images, masks, self.patch_size, self.compute_dtype), masks

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "patch_size": self.patch_size,
            "binarize": self.binarize,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**with_new_names(cls, config))

    def _on_patches(self, masks, tie_source):
        _, num_inputs, height, width = masks.shape
        p = self.patch_size
        # Half precision cannot distinguish a tie from a majority of one pixel.
        pixels = ops.cast(masks, "float32")
        pixels = ops.reshape(pixels, (-1, num_inputs, height // p, p, width // p, p))
        means = ops.mean(pixels, axis=(3, 5))
        if not self.binarize:
            return ops.cast(means, self.compute_dtype)
        if isinstance(tie_source, int):
            require(
                0 <= tie_source < num_inputs,
                f"`tie_source` must be in 0 to {num_inputs - 1}.",
                tie_source=tie_source,
            )
        first = ops.reshape(ops.cast(tie_source, "int32"), (-1, 1))
        preferred = ops.cast(first == ops.arange(num_inputs, dtype="int32"), "float32")
        largest = means >= ops.max(means, axis=1, keepdims=True)
        rank = ops.cast(largest, "float32") * (1 + preferred[:, :, None, None])
        winner = ops.argmax(rank, axis=1)
        return ops.one_hot(winner, num_inputs, axis=1, dtype=self.compute_dtype)


def require_patches(images_shape: tuple, patch_size: int) -> tuple[int, int]:
    """The grid (h, w) of the patches of images; an error if they do not divide them.

    Args:
        images_shape: Tuple, the shape of the images.
        patch_size: Integer, the side of a patch in pixels.

    Raises:
        ValueError: If images do not have rank 5 or patches do not divide them.
    """
    require(
        len(images_shape) == 5,
        "`images` must have shape (B, M, H, W, C).",
        shape=tuple(images_shape),
    )
    _, _, height, width, _ = images_shape
    require_divides(patch_size, (height, width))
    return height // patch_size, width // patch_size


def mixed_patches(images: Any, masks: Any, patch_size: int, dtype: str) -> Any:
    """Mixes M images into one, patch by patch.

    Args:
        images: Tensor `(B, M, H, W, C)`.
        masks: Tensor `(B, M, h, w)`, the share of each input in each patch.
        patch_size: Integer, the side of a patch in pixels.
        dtype: String, the dtype of the result.

    Returns:
        Tensor `(B, H, W, C)`.
    """
    # Repeats the shares for each pixel: a sum over images cut into patches, of rank 7,
    # crashes jaxlib 0.10.2 on CPUs.
    shares = ops.cast(masks, dtype)
    shares = ops.repeat(shares, patch_size, axis=2)
    shares = ops.repeat(shares, patch_size, axis=3)
    images = ops.cast(images, dtype)
    return ops.sum(images * shares[..., None], axis=1)
