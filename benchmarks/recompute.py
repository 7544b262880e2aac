"""Memory and time of a training step with blocks computed once and twice.

    KERAS_BACKEND=jax python benchmarks/recompute.py

A CaiT 192 wide with 12 + 2 blocks on images of 64 x 64 pixels in patches of 4, batch 8,
and a WideResNet-28-2 on 32 x 32, batch 32. Each row is measured in its own process, on
a CPU:

* peak: how far the resident memory rose above what it was before the first
  step, weights and their gradients included. It depends on how the allocator
  reuses memory.
* kept: on PyTorch, what a forward pass stores for the backward pass, weights
  left out; on JAX, what XLA plans for temporary values (`memory_analysis`).
* step: the median of three steps after the first.
"""

import os
import resource
import statistics
import subprocess
import sys
import time

# By default, XLA's scheduler for CPUs starts everything as early as possible, also the
# second pass, and saves no memory. Those for accelerators save memory by default.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_enable_concurrency_optimized_scheduler=false"
)

import keras
import numpy as np

import keras_mixvit as kv


def cait(recompute):
    return kv.CaiT((64, 64, 3), 4, 192, 4, 12, 2, recompute=recompute), 8


def wide_resnet(recompute):
    return kv.WideResNet((32, 32, 3), 28, 2, recompute=recompute), 32


MAKERS = {"cait": cait, "wide_resnet": wide_resnet}


def planned(model, x, y):
    """Bytes of temporary values of the compiled step, on JAX."""
    import jax

    def loss(trained, others, x):
        logits, others = model.stateless_call(trained, others, x, training=True)
        return model.compute_loss(x, y, logits), others

    step = jax.jit(jax.grad(loss, has_aux=True))
    trained = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]
    compiled = step.lower(trained, others, x).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def stored(model, x, y):
    """Bytes that a forward pass stores for the backward pass, on PyTorch."""
    import torch

    seen = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        logits = model(x, training=True)
        kept = model.compute_loss(x, y, logits), seen
    weights = {v.value.untyped_storage().data_ptr() for v in model.variables}
    return sum(size for place, size in kept[1].items() if place not in weights)


KEPT = {"jax": planned, "torch": stored}


def resident():
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def measure(name, recompute):
    backbone, batch = MAKERS[name](recompute)
    model = kv.SingleNetwork(backbone, 100)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    rng = np.random.default_rng(0)
    x = rng.random((batch, *model.image_shape)).astype("float32")
    y = rng.integers(100, size=batch)
    before, times = resident(), []
    for _ in range(4):
        start = time.perf_counter()
        model.train_on_batch(x, y)
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    row = f"{name:12} {'twice' if recompute else 'once':6} peak {peak / 2**20:7.0f} MiB"
    if keras.config.backend() in KEPT:
        kept = KEPT[keras.config.backend()](model, x, y)
        row += f"  kept {kept / 2**20:7.0f} MiB"
    print(f"{row}  step {statistics.median(times[1:]):6.2f} s")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(sys.argv[1], sys.argv[2] == "twice")
    else:
        print(keras.config.backend())
        for name in MAKERS:
            for passes in ("once", "twice"):
                subprocess.run([sys.executable, __file__, name, passes], check=True)
