import keras
import numpy as np

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.distribution._layouts import transformer_layouts
from keras_mixvit.distribution._parallel import Parallel

AXES = ("batch", "model")


def model_parallel(
    model_devices: int,
    devices: int | list[str] | None = None,
    timeout: float = 600.0,
) -> Parallel:
    """Splits a transformer that is too large for one device over several, on JAX.

    The devices form a mesh (batch, model). Along the second axis, each device holds its
    part of every attention and MLP kernel, and of the optimizer's variables for it.
    Along the first axis, devices share the samples as with `data_parallel`. The result
    is a
    context: build, compile and train the model in it.

    Args:
        model_devices: Integer, the number of devices that hold one model together. It
            must divide the number of devices and the width of the model.
        devices: Integer, list of names, or `None` for all, as in
            `data_parallel`. Defaults to `None`.
        timeout: Seconds to wait for another process before giving up.
            Defaults to `600.0`.

    Returns:
        A `Parallel`.

    Raises:
        ValueError: If the backend is not JAX, there are no such devices, or
            `model_devices` does not divide them.
        ConnectionError: If processes do not connect.

    Example:

    ```python
    if keras.config.backend() == "jax":
        with model_parallel(model_devices=1):
            model = MixViT(ConViT((8, 8, 1), 2, 16, 4, 1, 1), num_classes=10)
    ```
    """
    backend = keras.config.backend()
    require(
        backend == "jax",
        "`model_parallel` must run on JAX: on other backends, Keras cannot split "
        "weights. `data_parallel` runs on all.",
        backend=backend,
    )
    from keras_mixvit.distribution._jax import (
        JaxParallel,
        chosen_devices,
        join_processes,
    )

    require_positive_integer("model_devices", model_devices)
    join_processes(timeout)
    chosen = chosen_devices(devices)
    require(
        len(chosen) % model_devices == 0,
        "`model_devices` must divide the number of devices.",
        model_devices=model_devices,
        devices=len(chosen),
    )
    shape = (len(chosen) // model_devices, model_devices)
    mesh = keras.distribution.DeviceMesh(shape, AXES, np.array(chosen).reshape(shape))
    return JaxParallel(
        keras.distribution.ModelParallel(
            layout_map=transformer_layouts(mesh), auto_shard_dataset=False
        )
    )
