import contextlib

import keras

from keras_mixvit._checks import require
from keras_mixvit.distribution.parallel import Parallel, Part


def parallel_of(model: keras.Model) -> Parallel | None:
    """How a model is distributed, whoever arranged it, or `None`.

    Args:
        model: Model.

    Returns:
        A `Parallel`, or `None` where there is one device.

    Raises:
        ValueError: If `keras.distribution` is in use on TensorFlow, where it
            has no effect.

    Example:

    ```python
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert parallel_of(model) is None
    ```
    """
    backend = keras.config.backend()
    if backend == "torch":
        from keras_mixvit.distribution import torch_parallel

        return torch_parallel.joined()
    distribution = keras.distribution.distribution()
    if backend == "jax":
        from keras_mixvit.distribution.jax_parallel import JaxParallel

        return None if distribution is None else JaxParallel(distribution)
    require(
        distribution is None,
        "`keras.distribution` must not be set on TensorFlow, where Keras accepts and "
        "ignores it: use `keras_mixvit.distribution.data_parallel`.",
        distribution=distribution,
    )
    from keras_mixvit.distribution.tensorflow_parallel import TensorFlowParallel

    strategy = model.distribute_strategy
    return TensorFlowParallel(strategy) if strategy.num_replicas_in_sync > 1 else None


def seen_whole(model: keras.Model):
    """A context in which every device sees all that a model predicts.

    Args:
        model: Model, such as a graph that was made of another one's layers.
    """
    parallel = parallel_of(model)
    if parallel is None:
        return contextlib.nullcontext()
    return parallel.evaluating(Part({}, is_whole=True))
