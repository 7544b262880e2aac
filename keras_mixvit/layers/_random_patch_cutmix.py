from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mixvit._checks import require_positive_integer
from keras_mixvit.layers._binarized_patch_cutmix import mixed_patches, require_patches
from keras_mixvit.layers._seed_generator import ReplicaSeedGenerator
from keras_mixvit.masks._box import box_coverage, patch_majority
from keras_mixvit.masks._mask_sampler import require_alpha


@keras.saving.register_keras_serializable(package="keras_mixvit")
class RandomPatchCutMix(keras.layers.Layer):
    """Mixes M images into one by boxes of whole patches that the layer draws.

    You can use it in any Keras model. It draws in training and in inference, as
    `PatchCutMix` does with `owner_per="sample"`. The models of this library use the
    masks of their data set instead, because those do not depend on the backend or the
    number of devices.

    Args:
        patch_size: Integer, the side of a patch in pixels.
        alpha: Positive float, the parameter of the Beta distribution of the
            ratios. Defaults to `0.5`.
        binarize: Boolean; with `False`, patches on the border of a box blend two inputs
            in proportion. Defaults to `True`.
        seed: Integer seed, or `None`. Defaults to `None`.

    Call arguments:
        images: The M inputs of each sample, `(B, M, H, W, C)`.

    Input shape:
        `(B, M, H, W, C)`.

    Output shape:
        The mixed images `(B, H, W, C)` and the masks `(B, M, h, w)`, the share
        of each input in each patch.

    Raises:
        ValueError: If an argument is out of its range, images do not have rank 5, or
            `patch_size` does not divide the image size.

    Example:

    ```python
    images = np.random.default_rng(0).random((4, 2, 32, 32, 3))
    mixed, masks = RandomPatchCutMix(patch_size=4, seed=0)(images)
    assert mixed.shape == (4, 32, 32, 3) and masks.shape == (4, 2, 8, 8)
    ```

    References:
        MixViT, Section 2.1 and Appendix H (corrected CutMix scheme).
    """

    def __init__(
        self,
        patch_size: int,
        alpha: float = 0.5,
        binarize: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        require_positive_integer("patch_size", patch_size)
        require_alpha(alpha)
        self.patch_size = patch_size
        self.alpha = alpha
        self.binarize = binarize
        self.seed = seed
        self.seed_generator = ReplicaSeedGenerator(seed)

    def build(self, images_shape: tuple) -> None:
        require_patches(images_shape, self.patch_size)

    def call(self, images: Any) -> Any:
        masks = self._draw(images)
        return mixed_patches(images, masks, self.patch_size, self.compute_dtype), masks

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "patch_size": self.patch_size,
            "alpha": self.alpha,
            "binarize": self.binarize,
            "seed": self.seed,
        }

    def _draw(self, images):
        _, num_inputs, height, width, _ = images.shape
        batch = ops.shape(images)[0]

        def uniform(*shape):
            return keras.random.uniform((batch, *shape), seed=self.seed_generator)

        ratios = beta_quantile(uniform(), self.alpha)
        centers = [ops.floor(uniform() * side) for side in (height, width)]
        coverage = box_coverage(
            ratios, centers, (height, width), self.patch_size, xp=ops
        )
        if self.binarize:
            coins = ops.cast(uniform() < 0.5, "float32")
            box = patch_majority(coverage, coins, self.patch_size, xp=ops)
        else:
            box = coverage / self.patch_size**2
        roles = ops.argsort(uniform(num_inputs), axis=1)
        owner, other = (
            ops.one_hot(roles[:, i], num_inputs)[:, :, None, None] for i in (0, 1)
        )
        masks = owner * box[:, None] + other * (1 - box[:, None])
        return ops.cast(masks, self.compute_dtype)


def beta_quantile(probabilities: Any, alpha: float, knots: int = 4096) -> Any:
    """Quantiles of Beta(alpha, alpha), interpolated from a table.

    TensorFlow has no XLA kernel for Gamma and Beta draws; a table works on all
    backends, compiled or not.
    """
    # With t = log(x / (1 - x)) the density is (x (1 - x))^alpha dt: smooth,
    # and exponential in the tails.
    reach = 40 / min(alpha, 1.0)
    t = np.linspace(-reach, reach, 200_001)
    density = np.exp(-alpha * (np.logaddexp(0, t) + np.logaddexp(0, -t)))
    distribution = np.cumsum(density)
    distribution = (distribution - density / 2) / distribution[-1]
    centers = (np.arange(knots) + 0.5) / knots
    table = np.interp(centers, distribution, t).astype("float32")
    position = ops.clip(probabilities * knots - 0.5, 0.0, knots - 1.001)
    low = ops.floor(position)
    index = ops.cast(low, "int32")
    table = ops.convert_to_tensor(table)
    below, above = ops.take(table, index), ops.take(table, index + 1)
    return ops.sigmoid(below + (position - low) * (above - below))
