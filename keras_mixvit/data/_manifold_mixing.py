from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import require_positive_integer
from keras_mixvit.masks._mask_sampler import require_alpha


@dataclass(frozen=True)
class ManifoldMixing:
    """Draws for Manifold MixUp: which samples are mixed, where, and how much.

    Each batch draws one lambda ~ Beta(alpha, alpha), one of the layers of the
    network at which images are mixed, and a permutation of the batch. The
    layers are the images themselves and the outputs of the first groups.

    Args:
        num_layers: Integer, the number of layers. Defaults to `3`, the images
            and the outputs of two groups, as in the published code.
        alpha: Positive float, the parameter of the Beta distribution. Defaults
            to `2.0`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    partners, shares = ManifoldMixing().draw(np.random.default_rng(0), 8)
    assert partners.shape == (8,) and shares.shape == (8, 3)
    ```

    References:
        MixMo, Table 1; Manifold Mixup (Verma et al., 2019).
    """

    num_layers: int = 3
    alpha: float = 2.0

    def __post_init__(self):
        require_positive_integer("num_layers", self.num_layers)
        require_alpha(self.alpha)

    def draw(
        self, rng: np.random.Generator, batch_size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws partners and shares for one batch.

        Args:
            rng: The only source of chance.
            batch_size: Integer B.

        Returns:
            int32 array `(B,)`, the partner of each sample, and float32 array
            `(B, num_layers)`, the share of a sample at each layer: lambda at one
            of them, else 1.
        """
        partners = rng.permutation(batch_size).astype("int32")
        shares = np.ones((batch_size, self.num_layers), "float32")
        shares[:, rng.integers(self.num_layers)] = rng.beta(self.alpha, self.alpha)
        return partners, shares
