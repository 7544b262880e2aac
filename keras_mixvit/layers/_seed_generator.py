from typing import Any

import keras
from keras import ops

from keras_mixvit._replicas import seed_shift


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ReplicaSeedGenerator(keras.random.SeedGenerator):
    """A seed generator whose random numbers differ between replicas.

    Use it in layers that train on several devices. Keras's generator has the same state
    on every replica, so all replicas of TensorFlow and processes of PyTorch draw the
    same numbers. This one adds the replica's number to the seed. On one replica, and on
    JAX, whose replicas draw parts of one array, it acts like Keras's.

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
        # This mark distinguishes it from Keras's in `fit` on several replicas.
        self.state.differs_between_replicas = True

    def next(self, ordered: bool = True) -> Any:
        """The next seed, which differs between replicas."""
        seed = super().next(ordered)
        shift = seed_shift()
        if isinstance(shift, int) and not shift:
            return seed
        return seed + ops.cast(ops.stack([shift, 0]), seed.dtype)
