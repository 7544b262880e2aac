import numpy as np

from keras_mixvit._checks import is_integer, require


def child_seed(seed: int | None, index: int) -> int | None:
    """A seed for part `index`, so that two parts do not drop the same features."""
    require(
        seed is None or (is_integer(seed) and seed >= 0),
        "`seed` must be a non-negative integer or None.",
        seed=seed,
    )
    if seed is None:
        return None
    return int(np.random.SeedSequence((seed, index)).generate_state(1)[0] >> 1)
