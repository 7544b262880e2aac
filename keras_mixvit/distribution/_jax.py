import contextlib
import json
import os

import jax
import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.distribution._parallel import (
    Parallel,
    Part,
    arguments,
    rows_between,
    rows_of,
    size_of_batches,
)
from keras_mixvit.distribution._peers import peer_errors
from keras_mixvit.distribution._rendezvous import wait_for_processes


class JaxParallel(Parallel):
    """`Parallel` on JAX, which uses a distribution of Keras.

    Args:
        distribution: `keras.distribution.DataParallel` or `ModelParallel`.
    """

    def __init__(self, distribution):
        super().__init__(
            distribution.num_model_replicas, jax.process_index(), jax.process_count()
        )
        self.distribution = distribution

    def scope(self):
        return self.distribution.scope()

    def agree(self, value):
        if self.process_count == 1:
            return value
        from jax.experimental.multihost_utils import broadcast_one_to_all

        text = np.frombuffer(json.dumps(value).encode(), np.uint8)
        length = int(broadcast_one_to_all(np.int32(len(text))))
        room = np.zeros(length, np.uint8)
        if self.is_main:
            room[:] = text
        return json.loads(np.asarray(broadcast_one_to_all(room), np.uint8).tobytes())

    def numbers(self, value):
        from jax.experimental.multihost_utils import process_allgather

        return [int(number) for number in np.ravel(process_allgather(np.int32(value)))]

    @contextlib.contextmanager
    def alone(self):
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(self.distribution)

    def own_batches(self, pairs):
        self._require_divided(pairs)
        # If a replica spans several processes, they read the same samples.
        readers = min(self.process_count, self.num_replicas)
        if readers == 1 or pairs.part is not None:
            return pairs
        return pairs.shard(self.distribution.data_shard_id, readers)

    def require_data(self, x):
        rows = rows_of(x)
        require(
            rows is None or self.process_count == 1,
            "`x` must be a `mixed_pair_dataset`, or a data set that yields only this "
            "process's part of each batch, if there are several processes.",
            x=type(x).__name__,
        )
        require(
            rows is None or rows % self.num_replicas == 0,
            "`x` must have a number of samples that is a multiple of "
            f"{self.num_replicas}, the number of devices.",
            samples=rows,
        )

    def parts(self, model, x, y, sample_weight, batch_size):
        if isinstance(x, MixedPairDataset):
            return [Part({"x": self.own_batches(x)})]
        rows = rows_of(x)
        if rows is None:
            return [Part(arguments(x, y, sample_weight, batch_size), is_whole=True)]
        # Every device sees the rest that the devices do not divide.
        even, found = rows - rows % self.num_replicas, []
        size = size_of_batches(x, batch_size)
        size += -size % self.num_replicas
        if even < rows:
            rest = rows_between(x, y, sample_weight, size, even, rows)
            found.append(Part(rest, is_whole=True))
        if even:
            readers = min(self.process_count, self.num_replicas)
            start = self.distribution.data_shard_id * even // readers
            stop = start + even // readers
            own = rows_between(x, y, sample_weight, size // readers, start, stop)
            found.append(Part(own))
        return found

    def parts_to_predict(self, model, x, batch_size, steps):
        # This process cannot read the logits of other processes.
        if steps is not None or self.process_count > 1:
            return super().parts_to_predict(model, x, batch_size, steps)
        return self.parts(model, x, None, None, batch_size)[::-1]

    def training(self, model):
        if self.process_count == 1:
            return contextlib.nullcontext()
        return peer_errors((jax.errors.JaxRuntimeError,), "in time")

    @contextlib.contextmanager
    def evaluating(self, part):
        if not part.is_whole:
            yield
            return
        with whole_batches(self.distribution.device_mesh).scope():
            yield


class WholeBatches(keras.distribution.DataParallel):
    """A distribution in which every device sees the whole batch."""

    def get_data_layout(self, data_shape):
        return keras.distribution.TensorLayout(
            [None] * len(data_shape), self.device_mesh
        )


def whole_batches(mesh) -> WholeBatches:
    """`WholeBatches` on the devices of a mesh of any rank."""
    devices = list(mesh.devices.flatten())
    return WholeBatches(devices=devices, auto_shard_dataset=False)


def chosen_devices(devices) -> list[str]:
    """The names of the devices to use, as Keras spells them.

    Args:
        devices: Integer, list of names, or `None` for all.
    """
    if isinstance(devices, int):
        # This works on processors only, and only before they are used.
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", devices)
    found = keras.distribution.list_devices()
    if devices is None:
        return found
    if isinstance(devices, int):
        require(
            devices <= len(found),
            f"`devices` must be at most {len(found)}, the number that JAX has; the "
            "environment variable JAX_NUM_CPU_DEVICES splits a processor.",
            devices=devices,
        )
        return found[:devices]
    unknown = sorted(set(devices) - set(found))
    require(
        len(devices) > 0 and not unknown,
        f"`devices` must be among {', '.join(found)}.",
        devices=list(devices),
    )
    return list(devices)


def join_processes(timeout: float) -> None:
    """Joins the processes that Keras's environment variables name, if any.

    `keras.distribution.initialize` uses the same variables, but has no time limit.

    Args:
        timeout: Seconds to wait for the other processes.
    """
    prefix = "KERAS_DISTRIBUTION_"
    names = ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
    found = [os.environ.get(prefix + name) for name in names]
    values = [value for value in found if value is not None]
    if found[0] is None or jax.distributed.is_initialized():
        return
    require(
        len(values) == len(names),
        f"`{prefix}NUM_PROCESSES` and `{prefix}PROCESS_ID` must be set with "
        f"`{prefix}JOB_ADDRESSES`.",
        **dict(zip(names, found, strict=True)),
    )
    address, count, index = values[0].split(",")[0], int(values[1]), int(values[2])
    require(
        0 <= index < count,
        f"`{prefix}PROCESS_ID` must be in 0 to {count - 1}.",
        process_id=index,
    )
    wait_for_processes(address, count, index, timeout)
    jax.distributed.initialize(
        address,
        count,
        index,
        initialization_timeout=int(timeout),
        heartbeat_timeout_seconds=int(timeout),
    )
    # Random weights must be the same in every process.
    seed = int(np.random.default_rng().integers(2**31))
    keras.utils.set_random_seed(_agreed_seed(seed))


def _agreed_seed(seed):
    from jax.experimental.multihost_utils import broadcast_one_to_all

    return int(broadcast_one_to_all(np.int32(seed)))
