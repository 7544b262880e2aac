import numpy as np

from keras_mixvit._checks import is_number, require
from keras_mixvit._types import Namespace, Tensor


def loss_weighting(ratios: Tensor, r: float = 3.0, xp: Namespace = np) -> Tensor:
    """Weights w_r of the losses of M subnetworks, from the ratios of a mixture.

    `w_r(ratio_m) = M ratio_m^(1/r) / sum_j ratio_j^(1/r)`: with r = 1 a loss
    counts in proportion to the share of its input, with an infinite r all losses
    count equally.

    Args:
        ratios: Float tensor `(..., M)`, the shares of the inputs.
        r: Positive float, infinity included. Defaults to `3.0`.
        xp: Module with the functions of NumPy, such as `keras.ops`. Defaults
            to `numpy`.

    Returns:
        Float tensor `(..., M)` that sums to M over the subnetworks.

    Raises:
        ValueError: If `r` is not positive.

    Example:

    ```python
    weights = loss_weighting(np.array([0.2, 0.8]), r=1.0)
    np.testing.assert_allclose(weights, [0.4, 1.6])
    ```

    References:
        MixMo, Eq. 3 and 5.
    """
    require(is_number(r) and r > 0, "`r` must be positive.", r=r)
    # Relative to the largest: with a small r all powers would underflow.
    largest = xp.max(ratios, axis=-1, keepdims=True)
    powers = xp.power(ratios / largest, 1 / r)
    return ratios.shape[-1] * powers / xp.sum(powers, axis=-1, keepdims=True)
