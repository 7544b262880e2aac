import os
from typing import Any

import keras

from keras_mixvit._checks import is_integer, require, require_positive_integer
from keras_mixvit.distribution._parallel import Parallel


def data_parallel(devices: Any = None, timeout: float = 600.0) -> Parallel:
    """Trains one model on several devices, each with its share of every batch.

    The result is a context: build, compile and train the model in it. The batch of a
    data set is the global batch, so the same samples in the same order make the same
    steps on any number of devices. The learning rate stays the same; if you make the
    batch k times larger, multiply the rate by k, too.

    | backend | engine | several hosts |
    |---|---|---|
    | JAX | `keras.distribution.DataParallel` | the environment variables of `keras.distribution.initialize`, or that call before this one |
    | TensorFlow | `tf.distribute.MirroredStrategy`, `TPUStrategy` for a resolver | not supported: Keras fails |
    | PyTorch | `torch.distributed`, a process per device | `torchrun` |

    On PyTorch, every process runs the same program; start it with `torchrun` or
    `keras-mixvit train --devices N`. The processes share their weights once, average
    gradients during the backward pass, and add up metrics.

    Args:
        devices: Integer, the number of devices; a list of their names, such as
            `["gpu:0", "gpu:1"]` (JAX, TensorFlow); a resolver of a TPU cluster
            (TensorFlow); or `None` for all. On JAX and TensorFlow without accelerators,
            a number splits the processor, if it is not in use yet. Defaults to `None`.
        timeout: Seconds to wait for another process before giving up.
            Defaults to `600.0`.

    Returns:
        A `Parallel`.

    Raises:
        ValueError: If there are no such devices, or the backend does not support them.
        ConnectionError: If processes do not connect, or a port is in use.

    Example:

    ```python
    with data_parallel() as parallel:
        model = MixViT(ConViT((8, 8, 1), 2, 16, 4, 1, 1), num_classes=10)
    assert parallel.is_main
    ```
    """  # noqa: E501
    require(0 < timeout < float("inf"), "`timeout` must be positive.", timeout=timeout)
    if is_integer(devices) or isinstance(devices, bool):
        require_positive_integer("devices", devices)
    require(
        not isinstance(devices, str),
        "`devices` must be a number, a list of names or None.",
        devices=devices,
    )
    backend = keras.config.backend()
    if backend == "jax":
        from keras_mixvit.distribution._jax import (
            JaxParallel,
            chosen_devices,
            join_processes,
        )

        join_processes(timeout)
        chosen = chosen_devices(devices)
        return JaxParallel(
            keras.distribution.DataParallel(devices=chosen, auto_shard_dataset=False)
        )
    if backend == "tensorflow":
        from keras_mixvit.distribution._tensorflow import (
            TensorFlowParallel,
            chosen_strategy,
        )

        return TensorFlowParallel(chosen_strategy(devices))
    count = int(os.environ.get("WORLD_SIZE", 1))
    require(
        devices in (None, count),
        f"`devices` must be None or {count}, the number of processes; start more with "
        "`torchrun --nproc-per-node N` or `keras-mixvit train --devices N`.",
        devices=devices,
    )
    from keras_mixvit.distribution._torch import TorchParallel

    return TorchParallel(timeout)
