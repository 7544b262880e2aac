import numpy as np


def child_seed(seed: int | None, index: int) -> int | None:
    """A seed of its own for part `index`, so that parts do not drop in step."""
    if seed is None:
        return None
    return int(np.random.SeedSequence((seed, index)).generate_state(1)[0] >> 1)
