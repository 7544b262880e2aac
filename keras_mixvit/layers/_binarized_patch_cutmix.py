import keras
import numpy as np
from keras import ops

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.layers._patch_embedding import require_divides
from keras_mixvit.layers._seed_generator import ReplicaSeedGenerator
from keras_mixvit.masks._box import box_coverage, patch_majority
from keras_mixvit.masks._mask_sampler import require_alpha


@keras.saving.register_keras_serializable(package="keras_mixvit")
class BinarizedPatchCutMix(keras.layers.Layer):
    """Mixes M images into one, patch by patch, and returns the masks used.

    Masks on the grid of patches are used as they are. Masks in pixels are
    averaged over each patch; with `binarize`, the whole patch then goes to
    the input with the larger mean, ties to `tie_source`. Without masks the
    layer draws its own in training and inference alike, as `PatchCutMix` does
    with `owner_per="sample"`.

    Args:
        patch_size: Integer, the side of a patch in pixels.
        alpha: Positive float, the parameter of the Beta distribution of masks
            that the layer draws. Defaults to `0.5`.
        binarize: Boolean; `False` keeps the mean of pixel masks, and of boxes
            that the layer draws, over each patch. Defaults to `True`.
        seed: Integer seed of the layer's own masks, or `None`. Defaults to
            `None`.

    Call arguments:
        images: The M inputs of each sample, `(B, M, H, W, C)`.
        masks: Share of each input at each place, `(B, M, h, w)` on the grid of
            patches or `(B, M, H, W)` in pixels, summing to 1 over M; `None` to
            draw them.
        tie_source: Integer, or integer tensor `(B,)`: the input that gets
            patches whose largest mean it shares. Defaults to `0`.

    Input shape:
        `(B, M, H, W, C)` and, with masks, `(B, M, h, w)` or `(B, M, H, W)`.

    Output shape:
        The mixed images `(B, H, W, C)` and the masks `(B, M, h, w)`.

    Raises:
        ValueError: If an argument is out of its range, images are not of rank
            5, `patch_size` does not divide the image size, or
            masks are on another grid.

    Example:

    ```python
    images = np.random.default_rng(0).random((4, 2, 32, 32, 3))
    mixed, masks = BinarizedPatchCutMix(patch_size=4, seed=0)(images)
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
        **kwargs,
    ):
        super().__init__(**kwargs)
        require_positive_integer("patch_size", patch_size)
        require_alpha(alpha)
        self.patch_size = patch_size
        self.alpha = alpha
        self.binarize = binarize
        self.seed = seed
        self.seed_generator = ReplicaSeedGenerator(seed)

    def build(self, images_shape, masks_shape=None):
        require(
            len(images_shape) == 5,
            "`images` must have shape (B, M, H, W, C).",
            shape=tuple(images_shape),
        )
        _, members, height, width, _ = images_shape
        require_divides(self.patch_size, (height, width))
        if masks_shape is not None:
            grid = (height // self.patch_size, width // self.patch_size)
            require(
                tuple(masks_shape[1:]) in ((members, *grid), (members, height, width)),
                f"`masks` must have shape (B, {members}, {grid[0]}, {grid[1]}) or "
                f"(B, {members}, {height}, {width}).",
                shape=tuple(masks_shape),
            )

    def call(self, images, masks=None, tie_source=0):
        if masks is None:
            masks = self._draw(images)
        elif self.patch_size > 1 and masks.shape[2:] == images.shape[2:4]:
            masks = self._on_patches(masks, tie_source)
        return self._mix(images, masks), masks

    def get_config(self):
        return {
            **super().get_config(),
            "patch_size": self.patch_size,
            "alpha": self.alpha,
            "binarize": self.binarize,
            "seed": self.seed,
        }

    def _mix(self, images, masks):
        # Shares are spread to pixels: a sum over images cut into patches, of
        # rank 7, crashes jaxlib 0.10.2 on CPUs.
        shares = ops.cast(masks, self.compute_dtype)
        shares = ops.repeat(shares, self.patch_size, axis=2)
        shares = ops.repeat(shares, self.patch_size, axis=3)
        images = ops.cast(images, self.compute_dtype)
        return ops.sum(images * shares[..., None], axis=1)

    def _on_patches(self, masks, tie_source):
        _, members, height, width = masks.shape
        p = self.patch_size
        # Half precision could not tell a tie from a majority of one pixel.
        pixels = ops.cast(masks, "float32")
        pixels = ops.reshape(pixels, (-1, members, height // p, p, width // p, p))
        means = ops.mean(pixels, axis=(3, 5))
        if not self.binarize:
            return ops.cast(means, self.compute_dtype)
        if isinstance(tie_source, int):
            require(
                0 <= tie_source < members,
                f"`tie_source` must be in 0 to {members - 1}.",
                tie_source=tie_source,
            )
        first = ops.reshape(ops.cast(tie_source, "int32"), (-1, 1))
        preferred = ops.cast(first == ops.arange(members, dtype="int32"), "float32")
        largest = means >= ops.max(means, axis=1, keepdims=True)
        rank = ops.cast(largest, "float32") * (1 + preferred[:, :, None, None])
        winner = ops.argmax(rank, axis=1)
        return ops.one_hot(winner, members, axis=1, dtype=self.compute_dtype)

    def _draw(self, images):
        _, members, height, width, _ = images.shape
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
        roles = ops.argsort(uniform(members), axis=1)
        owner, other = (
            ops.one_hot(roles[:, i], members)[:, :, None, None] for i in (0, 1)
        )
        masks = owner * box[:, None] + other * (1 - box[:, None])
        return ops.cast(masks, self.compute_dtype)


def beta_quantile(probabilities, alpha: float, knots: int = 4096):
    """Quantiles of Beta(alpha, alpha), interpolated in a table.

    TensorFlow has no XLA kernel for Gamma and Beta draws; a table serves all
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
    place = ops.clip(probabilities * knots - 0.5, 0.0, knots - 1.001)
    low = ops.floor(place)
    index = ops.cast(low, "int32")
    table = ops.convert_to_tensor(table)
    below, above = ops.take(table, index), ops.take(table, index + 1)
    return ops.sigmoid(below + (place - low) * (above - below))
