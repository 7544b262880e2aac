import keras
import numpy as np


class EpochSeeds(keras.callbacks.Callback):
    """Sets the seeds of dropout and stochastic depth anew in every epoch.

    They are functions of seed and epoch then, so that a resumed training
    draws what an uninterrupted one would have drawn.

    Args:
        seed: Non-negative integer.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        for place, state in enumerate(seed_states(self.model)):
            drawn = np.random.SeedSequence((self.seed, epoch, place)).generate_state(1)
            # Some backends keep it in a signed integer of 32 bits.
            state.assign([int(drawn[0] >> 1), 0])


def seed_states(model: keras.Model) -> list:
    """The variables of all generators of seeds, each one once."""
    return [v for v in model.variables if v.name == "seed_generator_state"]
