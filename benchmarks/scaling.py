"""What a second process costs on PyTorch, and what more devices would need.

    python benchmarks/scaling.py [--batch 64] [--steps 10] [--repeats 3]

Trains the MixViT paper's ConViT at the same global batch in one process and in two,
with the same total number of threads, and counts the bytes on the loopback device
(Linux). Then it estimates many accelerators from counts and data sheets, and prints the
arithmetic.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np

from keras_mixvit import MixViT, make_backbone, mixed_pair_dataset
from keras_mixvit.costs import flops
from keras_mixvit.distribution import data_parallel

# Data sheets: dense bfloat16 operations a second, bytes a second that a device
# sends to others while it receives as many.
ACCELERATORS = {
    "8 GPUs (H100 SXM, NVLink)": (8, 989e12, 450e9),
    "256 chips (TPU v5e, 2D torus)": (256, 197e12, 100e9),
    "32 GPUs on 4 hosts (H100, 400 Gbit/s a GPU)": (32, 989e12, 50e9),
}
# The shares of the data sheets that are reached: cautious guesses.
COMPUTE, LINK = 0.35, 0.6
NETWORKS = {
    "ConViT of MixViT, 64 a device": ("convit_mixvit", (32, 32, 3), 4, 64),
    "CaiT S-24, 224 pixels, 32 a device": ("cait_s24", (224, 224, 3), 16, 32),
}


def carried() -> int:
    """Bytes that the loopback device has carried."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[0])
    return 0


class Steps(keras.callbacks.Callback):
    """Seconds of each step."""

    def on_train_begin(self, logs=None):
        self.seconds, self.last = [], None

    def on_train_batch_begin(self, batch, logs=None):
        # The first step allocates.
        if batch == 1:
            self.bytes, self.last = carried(), time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if self.last is not None:
            now = time.perf_counter()
            self.seconds.append(now - self.last)
            self.last = now

    def on_train_end(self, logs=None):
        self.bytes = carried() - self.bytes


def work(batch, steps):
    """One training, within the processes that there are."""
    with data_parallel() as parallel:
        model = MixViT(make_backbone("convit_mixvit", (32, 32, 3), 4), 100)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.01), loss)
        count = batch * (steps + 1)
        x = np.random.default_rng(0).random((count, 32, 32, 3)).astype("float32")
        pairs = mixed_pair_dataset(
            x, np.arange(count) % 100, model.mask_sampler(), epochs=1, batch_size=batch
        )
        told = Steps()
        model.fit(pairs, callbacks=[told], verbose=0)
    if parallel.is_main:
        gradients = sum(4 * int(np.prod(v.shape)) for v in model.trainable_variables)
        found = {
            "seconds": statistics.median(told.seconds),
            "bytes": told.bytes / len(told.seconds),
            "gradients": gradients,
        }
        print("RESULT", json.dumps(found), flush=True)


def measured(processes, batch, steps):
    """What process 0 says."""
    cores = os.cpu_count() or 1
    command = [sys.executable, __file__, "--work", "--batch", str(batch)]
    program = (
        "import sys; from keras_mixvit.distribution import launch; "
        f"sys.exit(launch(sys.argv[1:], {processes}))"
    )
    threads = {"OMP_NUM_THREADS": str(max(1, cores // processes))}
    output = subprocess.run(
        [sys.executable, "-c", program, *command, "--steps", str(steps)],
        env={**os.environ, **threads},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    line = next(x for x in output.splitlines() if x.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT "))


def compare(batch, steps, repeats):
    runs = {1: [], 2: []}
    for _ in range(repeats):
        for processes, found in runs.items():
            found.append(measured(processes, batch, steps))
    print(f"ConViT, global batch {batch}, {steps} steps, median of {repeats} runs")
    seconds = {n: statistics.median(r["seconds"] for r in f) for n, f in runs.items()}
    for processes, found in runs.items():
        print(
            f"{processes} process(es): {seconds[processes]:.3f} s a step "
            f"({', '.join(format(r['seconds'], '.3f') for r in found)})"
        )
    overhead = [
        b["seconds"] / a["seconds"] - 1 for a, b in zip(*runs.values(), strict=True)
    ]
    print(
        f"overhead of the second: {100 * statistics.median(overhead):+.1f} % "
        f"({', '.join(format(100 * o, '+.1f') for o in overhead)})"
    )
    sent = statistics.median(r["bytes"] for r in runs[2]) / 2
    gradients = runs[2][0]["gradients"]
    print(
        f"bytes that a process sends in a step: {sent:,.0f}, of gradients "
        f"{gradients:,}: {sent / gradients:.3f} (all-reduce of two: 1)"
    )


def estimate():
    print(
        "\nEstimates, nothing of them measured. A step computes 3 x the forward pass "
        f"in\nbfloat16 at {COMPUTE:.0%} of the data sheet; an all-reduce over N "
        "devices sends\n2 (N - 1) / N x the gradients, in float32, at "
        f"{LINK:.0%} of it."
    )
    for title, (name, shape, patch, batch) in NETWORKS.items():
        model = MixViT(make_backbone(name, shape, patch), 100)
        parameters = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
        forward = flops(model, training=True).total.flops
        for device, (count, operations, link) in ACCELERATORS.items():
            compute = 3 * forward * batch / (COMPUTE * operations)
            milliseconds = f"{1e3 * compute:.2f} ms"
            sent = 2 * (count - 1) / count * 4 * parameters
            exchange = sent / (LINK * link)
            print(
                f"{title}; {device}:\n"
                f"  compute 3 x {forward / 1e9:.2f} GFLOP x {batch} / "
                f"({COMPUTE} x {operations / 1e12:.0f} TFLOP/s) = {milliseconds}\n"
                f"  sent 2 x {count - 1}/{count} x 4 B x {parameters / 1e6:.1f} M = "
                f"{sent / 1e6:.0f} MB, at {LINK} x {link / 1e9:.0f} GB/s = "
                f"{1e3 * exchange:.2f} ms\n"
                f"  to hide it behind 2/3 of the step (the backward pass): "
                f"{sent / (2 / 3 * compute) / 1e9:.0f} GB/s\n"
                f"  efficiency: not hidden {compute / (compute + exchange):.0%}, "
                f"hidden {compute / (compute + max(0, exchange - 2 / 3 * compute)):.0%}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.batch, options.steps)
    else:
        compare(options.batch, options.steps, options.repeats)
        estimate()
