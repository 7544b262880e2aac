import json
import os

import keras
import numpy as np
import tensorflow as tf

from keras_mixvit._checks import require
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.data.sources._image_batches import ImageBatches
from keras_mixvit.distribution._parallel import (
    Parallel,
    Part,
    rows_between,
    rows_of,
    size_of_batches,
)
from keras_mixvit.distribution._replica_checks import (
    require_own_layers,
    require_unmixed_features,
)


class TensorFlowParallel(Parallel):
    """`Parallel` on TensorFlow, which uses a `tf.distribute` strategy.

    Args:
        strategy: `tf.distribute.Strategy`.
    """

    def __init__(self, strategy):
        super().__init__(strategy.num_replicas_in_sync)
        self.strategy = strategy

    def scope(self):
        return self.strategy.scope()

    def check(self, model):
        require_own_layers(model)
        name = type(self.strategy).__name__
        steps = model.steps_per_execution
        require(
            steps == 1,
            f"`steps_per_execution` must be 1 under {name}: Keras fails otherwise.",
            steps_per_execution=steps,
        )
        accumulated = model.optimizer.gradient_accumulation_steps
        require(
            not accumulated,
            f"`gradient_accumulation_steps` must be None under {name}: Keras fails "
            "otherwise.",
            gradient_accumulation_steps=accumulated,
        )
        require(
            model.jit_compile is not True,
            f"`jit_compile` must be 'auto' or False under {name}: Keras fails "
            "otherwise.",
            jit_compile=model.jit_compile,
        )

    def own_batches(self, pairs):
        self._require_divided(pairs)
        require_unmixed_features(pairs)
        # A replica cannot see partners in the parts of others.
        return pairs if pairs.part is not None else pairs.shard(0, 1)

    def parts(self, model, x, y, sample_weight, batch_size):
        rows = rows_of(x)
        if rows is None or isinstance(x, MixedPairDataset):
            return super().parts(model, x, y, sample_weight, batch_size)
        size = fitting_size(rows, size_of_batches(x, batch_size), self.num_replicas)
        if size is not None:
            return [Part(rows_between(x, y, sample_weight, size, 0, rows))]
        copies = self.num_replicas
        x, y, sample_weight = (repeated(v, copies) for v in (x, y, sample_weight))
        size = size_of_batches(x, batch_size) * copies
        return [
            Part(
                rows_between(x, y, sample_weight, size, 0, rows * copies), copies=copies
            )
        ]

    def parts_to_predict(self, model, x, batch_size, steps):
        if steps is not None:
            return super().parts_to_predict(model, x, batch_size, steps)
        return self.parts(model, x, None, None, batch_size)

    def require_data(self, x):
        rows = rows_of(x)
        require(
            rows is None or rows % self.num_replicas == 0,
            "`x` must have a number of samples that is a multiple of "
            f"{self.num_replicas}, the number of devices.",
            samples=rows,
        )


def fitting_size(rows: int, wanted: int, replicas: int) -> int | None:
    """A batch size with which every replica gets at least one sample of every batch.

    Keras averages over the replicas' shares of the first batch, which must be equal. It
    splits a last batch of another size into shares of equal length, rounded up, so the
    last replica may get none; TensorFlow's convolutions fail on empty batches.

    Args:
        rows: Integer, the number of samples.
        wanted: Integer, the desired batch size.
        replicas: Integer.

    Returns:
        An integer near `wanted`, or `None` if there is none.
    """
    wanted += -wanted % replicas
    smaller = range(wanted, 0, -replicas)
    larger = range(wanted + replicas, 4 * wanted, replicas)
    for size in [*smaller, *larger]:
        rest = rows % size
        shares = (replicas - 1) * -(-rest // replicas)
        if size <= rows and (rest == 0 or rest > shares):
            return size
    return None


def repeated(values, count: int):
    """Repeats every row, which does not change any mean."""
    if values is None:
        return None
    if isinstance(values, ImageBatches):
        labels = np.repeat(values.labels, count, axis=0)
        images = np.repeat(values.images[:], count, axis=0)
        return ImageBatches(images, labels, values.batch_size)
    return keras.tree.map_structure(lambda v: np.repeat(v, count, axis=0), values)


def chosen_strategy(devices):
    """A strategy over all devices, the first ones, or those in a list.

    Args:
        devices: Integer, list of names such as `"gpu:0"`, a resolver of a
            TPU cluster, or `None` for all.
    """
    if isinstance(devices, tf.distribute.cluster_resolver.ClusterResolver):
        tf.config.experimental_connect_to_cluster(devices)
        tf.tpu.experimental.initialize_tpu_system(devices)
        return tf.distribute.TPUStrategy(devices)
    cluster = json.loads(os.environ.get("TF_CONFIG", "{}")).get("cluster", {})
    require(
        len(cluster.get("worker", ())) < 2,
        "`TF_CONFIG` must not name further workers: Keras's `fit` fails under "
        "MultiWorkerMirroredStrategy. Train on several hosts with JAX or PyTorch.",
        TF_CONFIG=cluster,
    )
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if isinstance(devices, int) and kind == "CPU" and devices > 1:
        _split_processor(devices)
    found = [f"{kind}:{i}" for i in range(len(tf.config.list_logical_devices(kind)))]
    if devices is None:
        chosen = found
    elif isinstance(devices, int):
        require(
            devices <= len(found),
            f"`devices` must be at most {len(found)}, the number that TensorFlow "
            "has; you can split a processor only before it is used.",
            devices=devices,
        )
        chosen = found[:devices]
    else:
        chosen = [name.upper() for name in devices]
        require(
            len(chosen) > 0 and set(chosen) <= set(found),
            f"`devices` must be among {', '.join(name.lower() for name in found)}.",
            devices=list(devices),
        )
    return tf.distribute.MirroredStrategy(chosen)


def _split_processor(count):
    processor = tf.config.list_physical_devices("CPU")[0]
    part = tf.config.LogicalDeviceConfiguration()
    try:
        tf.config.set_logical_device_configuration(processor, [part] * count)
    except RuntimeError:
        # It is already in use: keeps the earlier split.
        return
