"""Residual blocks with drawn weights."""

import numpy as np


def set_state(block, seed=0):
    """Gives every variable of a block values that leave nothing neutral."""
    rng = np.random.default_rng(seed)
    for variable in block.variables:
        if variable.path.endswith(("gamma", "moving_variance")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        else:
            variable.assign(0.4 * rng.standard_normal(variable.shape))


def built(block, shape):
    block.build((None, *shape[1:]))
    set_state(block)
    return block
