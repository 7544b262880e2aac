import json
import os

import tensorflow as tf

from keras_mixvit._checks import require
from keras_mixvit.distribution.checks import (
    require_own_layers,
    require_unmixed_features,
)
from keras_mixvit.distribution.parallel import Parallel, rows_of


class TensorFlowParallel(Parallel):
    """`tf.distribute` on TensorFlow, around a strategy.

    Args:
        strategy: `tf.distribute.Strategy`.
    """

    def __init__(self, strategy):
        super().__init__(strategy.num_replicas_in_sync)
        self.strategy = strategy

    def __enter__(self):
        self._scope = self.strategy.scope()
        self._scope.__enter__()
        return self

    def __exit__(self, *error):
        self._scope.__exit__(*error)

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
        # A replica sees no partners in the parts of others.
        return pairs if pairs.part is not None else pairs.shard(0, 1)

    def require_data(self, x):
        rows = rows_of(x)
        require(
            rows is None or rows % self.num_replicas == 0,
            f"`x` must have a number of samples that {self.num_replicas} divides, the "
            "number of devices.",
            samples=rows,
        )


def chosen_strategy(devices):
    """A strategy over all devices, the first ones, or those named.

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
        "`TF_CONFIG` must name no further workers: Keras's `fit` fails under "
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
            f"`devices` must be at most {len(found)}, the number that TensorFlow has; "
            "a processor can be several only before it is used.",
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
        # It is in use: as many as it was split into before.
        return
