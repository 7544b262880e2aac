"""Seconds and memory of judging saved predictions, against their bounds.

    python benchmarks/evaluation.py [--samples 50000] [--classes 1000] [--members 4]
    python benchmarks/evaluation.py --everything --members 2

Scores random predictions of M subnetworks like a report: every score of the ensemble
and of each subnetwork, and their diversity. `--everything` adds what `evaluate`
computes on request: the slower metrics (`thorough`), conformal sets fitted on a fifth
as many images, half as many images out of the distribution, and intervals of all these
numbers from 1,000 resamples. Memory is the peak of the process, with the predictions
themselves and NumPy. If other work shares the machine, compare processor time, not wall
time.
"""

import argparse
import os
import resource
import time

# It computes nothing; this backend starts fastest and uses the least memory.
os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np

from keras_mixvit.evaluation._judge import Judge
from keras_mixvit.evaluation._judged_classes import class_scores
from keras_mixvit.evaluation._judged_ood import detection_rows, group_scores
from keras_mixvit.evaluation._judged_sets import fitted_sets, set_rows
from keras_mixvit.evaluation._predicted import Group
from keras_mixvit.metrics._predictions import averaged
from keras_mixvit.metrics._resamples import Resamples

# Seconds and gigabytes, of a report and of everything.
BOUNDS = {False: (20, 2.0), True: (40, 2.5)}
REPLICATES = 1000


def drawn(samples: int, classes: int, members: int, seed: int = 0, hint: float = 7):
    """Predictions (n, M, K), about a half of them right, and labels (n,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=samples)
    logits = rng.standard_normal((samples, members, classes), dtype="float32")
    logits *= 2
    for m in range(members):
        logits[np.arange(samples), m, labels] += hint
    return logits, labels


def clocks() -> np.ndarray:
    """Seconds of the wall, and of the process on all cores."""
    return np.array([time.perf_counter(), time.process_time()])


def group_of(logits) -> Group:
    """Predictions as those of a model."""
    parts = [f"subnetwork {m}" for m in range(logits.shape[1])]
    return Group("parallel", "ensemble", parts, averaged(logits), logits)


def judge(logits, labels, everything: bool) -> dict[str, np.ndarray]:
    """Seconds of each part, of both clocks of a report."""
    samples, members, classes = logits.shape
    if everything:
        unknown = group_of(drawn(samples // 2, classes, members, 1, hint=4)[0])
        known, known_labels = drawn(samples // 5, classes, members, 2)
        known = averaged(known)
    seconds, last = {}, clocks()

    def lap(name):
        nonlocal last
        now = clocks()
        seconds[name] = now - last
        last = now

    group = group_of(logits)
    lap("mean of the subnetworks")
    judged = Judge(labels, 15, 0, everything, REPLICATES if everything else 0)
    judged.row(group.averaged, logits)
    lap("the ensemble")
    for m in range(members):
        judged.row(logits[:, m], is_part=True)
    lap("the subnetworks")
    if everything:
        set_rows(fitted_sets(known, known_labels, 0), group, labels, judged.resamples)
        lap("conformal sets")
        class_scores(group.averaged, labels, judged.resamples)
        lap("classes")
        own = Resamples(len(unknown.averaged), REPLICATES, [0, 1])
        before = group_scores(group)
        found = group_scores(unknown)
        detection_rows("others", unknown, before, found, judged.resamples, own)
        lap("images out of the distribution")
    return seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--everything", action="store_true")
    options = parser.parse_args()
    logits, labels = drawn(options.samples, options.classes, options.members)
    found = judge(logits, labels, options.everything)
    found["all"] = sum(found.values())
    print(f"{'':32s} {'wall':>8s} {'cores':>8s}")
    for name, (wall, cores) in found.items():
        print(f"{name:32s} {wall:8.2f} {cores:8.2f} s")
    seconds, gigabytes = BOUNDS[options.everything]
    print(f"{'bound':32s} {seconds:8.2f} s on two idle cores")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"memory {peak:.2f} GB, bound {gigabytes:g} GB")
