from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import is_number, require
from keras_mixvit.metrics import accuracy, calibrated_nll


def ensemble_scores(
    predictions: Sequence[npt.ArrayLike],
    labels: npt.ArrayLike,
    parameters: float,
    seed: int = 0,
) -> list[dict]:
    """Accuracy and calibrated NLL of ensembles of the first 1, 2, ..., N networks.

    An ensemble averages the logits of all subnetworks of its networks.

    Args:
        predictions: Sequence of N arrays of logits, `(n, K)` or of M
            subnetworks `(n, M, K)`, all of the same images.
        labels: Integer array `(n,)`.
        parameters: Positive float, the number of parameters of one network, or
            any other cost of it.
        seed: Non-negative integer, of the halves of the images by which
            `calibrated_nll` calibrates. Defaults to `0`.

    Returns:
        List of N dicts: `networks`, `parameters`, of all of them, `accuracy`
        and `calibrated_nll`.

    Raises:
        ValueError: If logits and labels do not fit, or `parameters` is not
            positive.

    Example:

    ```python
    rng = np.random.default_rng(0)
    networks = [rng.normal(size=(50, 2, 4)) for _ in range(3)]
    rows = ensemble_scores(networks, rng.integers(4, size=50), parameters=1e6)
    assert [row["parameters"] for row in rows] == [1e6, 2e6, 3e6]
    ```

    References:
        MixMo, Sections 4.6 and 6.10; Deep Ensembles (Lakshminarayanan et al.,
        2017).
    """
    arrays = [np.asarray(logits, "float64") for logits in predictions]
    shapes = [logits.shape for logits in arrays]
    require(
        len(shapes) > 0 and len(set(shapes)) == 1,
        "`predictions` must be logits of one shape, (n, K) or (n, M, K).",
        shapes=shapes,
    )
    require(
        is_number(parameters) and parameters > 0,
        "`parameters` must be positive.",
        parameters=parameters,
    )
    rows, total = [], np.zeros(())
    for networks, logits in enumerate(arrays, start=1):
        total = total + logits
        ensemble = total / networks
        rows.append(
            {
                "networks": networks,
                "parameters": networks * parameters,
                "accuracy": accuracy(ensemble, labels),
                "calibrated_nll": calibrated_nll(ensemble, labels, seed),
            }
        )
    return rows
