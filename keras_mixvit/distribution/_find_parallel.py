import keras

from keras_mixvit._checks import require
from keras_mixvit._replicas import joined_processes
from keras_mixvit.data._samples import joined
from keras_mixvit.data.sources._batch_reader import closing
from keras_mixvit.distribution._parallel import Parallel


def find_parallel(model: keras.Model) -> Parallel | None:
    """The `Parallel` of a model, no matter how it was distributed, or `None`.

    Args:
        model: Model.

    Returns:
        A `Parallel`, or `None` on one device.

    Raises:
        ValueError: If `keras.distribution` is in use on TensorFlow, where it
            has no effect.

    Example:

    ```python
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert find_parallel(model) is None
    ```
    """
    backend = keras.config.backend()
    if backend == "torch":
        return joined_processes()
    distribution = keras.distribution.distribution()
    if backend == "jax":
        from keras_mixvit.distribution._jax import JaxParallel

        return None if distribution is None else JaxParallel(distribution)
    require(
        distribution is None,
        "`keras.distribution` must not be set on TensorFlow, where Keras ignores it: "
        "use `keras_mixvit.distribution.data_parallel`.",
        distribution=distribution,
    )
    from keras_mixvit.distribution._tensorflow import TensorFlowParallel

    strategy = model.distribute_strategy
    return TensorFlowParallel(strategy) if strategy.num_replicas_in_sync > 1 else None


def predict_spread(
    predict, model: keras.Model, x, batch_size: int | None, steps=None, **options
):
    """The predictions of a model, computed on all devices in use.

    Args:
        predict: Keras's `predict` of the model.
        model: The model, which may be a graph with the layers of another model.
        x: Images, or a data set of them.
        batch_size: Integer, or `None`.
        steps: Integer, the number of batches to use, or `None` for all. Defaults to
            `None`.
        **options: Further arguments of `predict`.
    """
    parallel = find_parallel(model)
    if parallel is None:
        with closing(x):
            return predict(x, batch_size=batch_size, steps=steps, **options)
    found = []
    for part in parallel.parts_to_predict(model, x, batch_size, steps):
        with parallel.evaluating(part), closing(part.arguments["x"]):
            outputs = predict(**part.arguments, steps=steps, **options)
        found.append(every_nth_row(outputs, part.copies))
    return joined(found)


def every_nth_row(outputs, count: int):
    """Every `count`-th row of each array."""
    return keras.tree.map_structure(lambda array: array[::count], outputs)
