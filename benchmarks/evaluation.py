"""Seconds and memory of judging saved predictions, against their bounds.

    python benchmarks/evaluation.py [--samples 50000] [--classes 1000] [--members 4]

Judges drawn predictions of M subnetworks as a report does: every score of
the ensemble and of each subnetwork, and their diversity. Memory is the most that
the process ever held, the predictions themselves and NumPy included. Where other
work shares the machine, the time of the cores says more than that of the wall.
"""

import argparse
import os
import resource
import time

# Nothing is computed by it; it starts fastest and holds least.
os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np

from keras_mixvit.evaluation._evaluate import scores_of
from keras_mixvit.metrics import disagreement, pairwise_kl, ratio_error
from keras_mixvit.metrics._predictions import averaged

SECONDS = 20
GIGABYTES = 2.0


def drawn(samples: int, classes: int, members: int):
    """Predictions (n, M, K), about a half of them right, and labels (n,)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=samples)
    logits = rng.standard_normal((samples, members, classes), dtype="float32")
    logits *= 2
    for m in range(members):
        logits[np.arange(samples), m, labels] += 7
    return logits, labels


def clocks() -> np.ndarray:
    """Seconds of the wall, and of the process on all cores."""
    return np.array([time.perf_counter(), time.process_time()])


def judge(logits, labels) -> dict[str, np.ndarray]:
    """Seconds of each part, of both clocks of a report."""
    seconds, last = {}, clocks()

    def lap(name):
        nonlocal last
        now = clocks()
        seconds[name] = now - last
        last = now

    ensemble = averaged(logits)
    lap("mean of the subnetworks")
    scores_of(ensemble, labels)
    lap("scores of the ensemble")
    for m in range(logits.shape[1]):
        scores_of(logits[:, m], labels)
    lap("scores of the subnetworks")
    for function in (ratio_error, disagreement, pairwise_kl):
        function(*((logits, labels) if function is ratio_error else (logits,)))
        lap(function.__name__)
    return seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--members", type=int, default=4)
    options = parser.parse_args()
    logits, labels = drawn(options.samples, options.classes, options.members)
    found = judge(logits, labels)
    found["all"] = sum(found.values())
    print(f"{'':28s} {'wall':>8s} {'cores':>8s}")
    for name, (wall, cores) in found.items():
        print(f"{name:28s} {wall:8.2f} {cores:8.2f} s")
    print(f"{'bound':28s} {SECONDS:8.2f} s on two idle cores")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"memory {peak:.2f} GB, bound {GIGABYTES:g} GB")
