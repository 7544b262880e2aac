"""Milliseconds per batch of mixing masks on one core, against their bounds.

    python benchmarks/masks.py [--batch 128] [--side 32] [--repeats 51]

The samplers run in turn, and it prints the median of each, because single times on a
shared machine mean little.
"""

import os

# NumPy reads these once, on import.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import statistics
import time

import numpy as np

from keras_mixvit import masks

SAMPLERS = {
    "CutMix": masks.CutMixMasks(),
    "CutMix, M = 3": masks.CutMixMasks(num_subnetworks=3),
    "linear": masks.LinearMasks(),
    "CutMix or linear": masks.BinaryOrLinear(masks.CutMixMasks()),
    "left and right": masks.ConcatenationMasks(),
    "above and below": masks.ConcatenationMasks(direction="vertical"),
    "PatchUp": masks.PatchUpMasks(),
    "FMix": masks.FMixMasks(),
    "CowMask": masks.CowMasks(),
    "patch CutMix": masks.PatchCutMix(1),
    "constant": masks.ConstantMasks(1),
}
FAST = ("CutMix", "linear", "CutMix or linear")
FAST_MILLISECONDS = 2
MILLISECONDS = 20


def measure(size: int, side: int, repeats: int) -> dict[str, float]:
    """Median milliseconds per sampler, the samplers taking turns."""
    rng = np.random.default_rng(0)
    times = {name: [] for name in SAMPLERS}
    # The first round warms up.
    for _ in range(repeats + 1):
        for name, sampler in SAMPLERS.items():
            start = time.perf_counter()
            sampler.draw(rng, size, (side, side))
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(values[1:]) for name, values in times.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=51)
    options = parser.parse_args()
    print(f"batch {options.batch}, {options.side} x {options.side} places")
    for name, value in measure(options.batch, options.side, options.repeats).items():
        bound = FAST_MILLISECONDS if name in FAST else MILLISECONDS
        verdict = "ok" if value <= bound else "over"
        print(f"{name:18s} {value:8.2f} ms  bound {bound:3d} ms  {verdict}")
