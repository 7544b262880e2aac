import keras
import numpy as np


class EpochSeeds(keras.callbacks.Callback):
    """Sets the seeds of dropout and stochastic depth at the start of every epoch.

    The seeds depend only on the run's seed and the epoch, so a resumed training draws
    the same numbers as an uninterrupted one.

    Args:
        seed: Non-negative integer, the seed of the run.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        """Sets all seeds from the seed of the run and the epoch."""
        for place, state in enumerate(seed_states(self.model)):
            drawn = np.random.SeedSequence((self.seed, epoch, place)).generate_state(1)
            # Some backends store it in a signed 32-bit integer.
            state.assign([int(drawn[0] >> 1), 0])


def seed_states(model: keras.Model) -> list:
    """The variables of all seed generators, each once."""
    return [v for v in model.variables if v.name == "seed_generator_state"]
