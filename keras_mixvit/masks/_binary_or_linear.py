from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from keras_mixvit._checks import is_number, require
from keras_mixvit._types import Size
from keras_mixvit.masks._linear import LinearMasks
from keras_mixvit.masks._mask_sampler import MaskSampler


@dataclass(frozen=True)
class BinaryOrLinear(MaskSampler):
    """Binary masks in some batches and linear ones in the others.

    A batch is binary with the probability p, which falls to 0 over the last
    twelfth of training: `p * clip(12 (1 - progress), 0, 1)`.

    Args:
        binary: `MaskSampler` of the binary batches, such as `CutMixMasks()`.
        linear: `MaskSampler` of the others, or `None` for `LinearMasks` of the
            same size and alpha 2. Defaults to `None`.
        probability: Float in [0, 1], the probability p. Defaults to `0.5`.

    Raises:
        ValueError: If `probability` is not in [0, 1], or the two samplers do
            not make masks of the same shape.

    Example:

    ```python
    sampler = BinaryOrLinear(CutMixMasks(), probability=0.5)
    masks = sampler.draw(np.random.default_rng(0), 8, (32, 32), progress=0.1)
    assert masks.shape == (8, 2, 32, 32)
    ```

    References:
        MixMo, Section 3.3 and Algorithm 1.
    """

    binary: MaskSampler
    linear: MaskSampler | None = None
    probability: float = 0.5

    def __post_init__(self):
        require(
            is_number(self.probability) and 0 <= self.probability <= 1,
            "`probability` must be in [0, 1].",
            probability=self.probability,
        )
        for name in ("binary", "linear"):
            sampler = getattr(self, name)
            require(
                isinstance(sampler, MaskSampler) or (name, sampler) == ("linear", None),
                f"`{name}` must be a `MaskSampler`.",
                **{name: sampler},
            )
        linear = self.linear
        if linear is None:
            linear = LinearMasks(self.patch_size, self.num_subnetworks)
            object.__setattr__(self, "linear", linear)
        shapes = [(s.patch_size, s.num_subnetworks) for s in (self.binary, linear)]
        require(
            shapes[0] == shapes[1],
            "`binary` and `linear` must have the same `patch_size` and "
            "`num_subnetworks`.",
            binary=shapes[0],
            linear=shapes[1],
        )

    @property
    def patch_size(self) -> int:  # type: ignore[override]
        """Side in pixels of one position of the mixing grid."""
        return self.binary.patch_size

    @property
    def num_subnetworks(self) -> int:  # type: ignore[override]
        """The number M of subnetworks."""
        return self.binary.num_subnetworks

    def draw(
        self, rng: Generator, batch_size: int, image_size: Size, progress: float = 0.0
    ) -> np.ndarray:
        probability = self.probability * np.clip(12 * (1 - progress), 0, 1)
        is_binary = rng.random() < probability
        sampler = self.binary if is_binary or self.linear is None else self.linear
        return sampler.draw(rng, batch_size, image_size, progress)
