"""Seconds per training and inference step on the active backend.

    KERAS_BACKEND=torch python benchmarks/step_time.py [--width 384] [--batch 32]

The networks take turns and the median of each is printed beside its ratio to
the single network, because seconds on a shared machine mean little.
"""

import argparse
import statistics
import time

import keras
import numpy as np

import keras_mixvit as kv


def networks(width: int) -> dict:
    """Compiled models by name."""
    models = {"single": kv.SingleNetwork(kv.ConViT(width=width), 100)}
    for members in (2, 8):
        backbone = kv.ConViT(width=width)
        models[f"MixViT, M = {members}"] = kv.MixViT(backbone, 100, members)
    for model in models.values():
        model.compile(
            keras.optimizers.AdamW(1e-3),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
    return models


def batch_of(model, size: int):
    """Random pairs and labels of one batch."""
    rng = np.random.default_rng(0)
    x = rng.random((size, *model.image_shape), "float32")
    y = rng.integers(model.num_classes, size=size)
    return kv.mixed_pair_dataset(x, y, model.mask_sampler(), epochs=1, batch_size=size)[
        0
    ]


def seconds(step) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def measure(width: int, size: int, repeats: int) -> dict:
    """Median seconds per (name, phase), the networks taking turns."""
    steps = {}
    for name, model in networks(width).items():
        pairs, labels = batch_of(model, size)
        images = pairs["images"][:, 0]
        steps[name, "training"] = lambda model=model, x=pairs, y=labels: (
            model.train_on_batch(x, y)
        )
        steps[name, "inference"] = lambda model=model, x=images: model.predict_on_batch(
            x
        )
    for step in steps.values():
        step()
    times = {key: [] for key in steps}
    for _ in range(repeats):
        for key, step in steps.items():
            times[key].append(seconds(step))
    return {key: statistics.median(values) for key, values in times.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    medians = measure(options.width, options.batch, options.repeats)
    print(f"{keras.config.backend()}, batch {options.batch}, width {options.width}")
    for (name, phase), value in medians.items():
        ratio = value / medians["single", phase]
        print(f"{name:16s} {phase:10s} {value:8.3f} s  {ratio:5.2f} x")
