from typing import Any

import keras
from keras import ops

from keras_mixvit._replicas import seed_shift


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ReplicaSeedGenerator(keras.random.SeedGenerator):
    """A generator of seeds that differ between the replicas of a step.

    Replicas share the state of a generator: one of Keras gives all of them
    the same numbers under `tf.distribute`, and so it does in the processes of
    PyTorch, which hold one model each. This one adds a number of the replica
    to the seed. Alone, and on JAX, whose replicas draw parts of one array, it
    acts like Keras's.

    Args:
        seed: Integer seed, or `None` for a random one. Defaults to `None`.
        name: String, the name of the generator, or `None`. Defaults to
            `None`.

    Example:

    ```python
    generator = ReplicaSeedGenerator(seed=3)
    first, second = (keras.random.uniform((2,), seed=generator) for _ in range(2))
    ```
    """

    def __init__(self, seed: int | None = None, name: str | None = None):
        super().__init__(seed, name=name)
        # By this mark `fit` on several replicas knows it from Keras's.
        self.state.differs_between_replicas = True

    def next(self, ordered: bool = True) -> Any:
        seed = super().next(ordered)
        shift = seed_shift()
        if isinstance(shift, int) and not shift:
            return seed
        return seed + ops.cast(ops.stack([shift, 0]), seed.dtype)
