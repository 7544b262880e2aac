"""Python calls per training step of `fit` on PyTorch, which runs a step eagerly.

    KERAS_BACKEND=torch python benchmarks/python_calls.py --width 48

The profiler counts the calls of two runs of `fit`; their difference leaves out what
`fit` does once. Counts are the same on any machine.
"""

import argparse
import cProfile
import pstats

import keras
import numpy as np

import keras_mixvit as kv


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=48, help="of the ConViT")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--members", type=int, default=2, help="subnetworks M")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    if keras.config.backend() != "torch":
        parser.error("set KERAS_BACKEND=torch: the others trace a step once")
    model = kv.MixViT(kv.ConViT(width=options.width), 100, options.members)
    model.compile(
        keras.optimizers.AdamW(1e-3, weight_decay=0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    fit(model, options.batch_size, 2)
    short, long = 10, 10 + options.steps
    calls = [fit(model, options.batch_size, steps) for steps in (short, long)]
    print(f"{(calls[1] - calls[0]) / options.steps:,.0f} Python calls per step")


def fit(model, batch_size, steps):
    """Trains for some steps and counts all calls."""
    rng = np.random.default_rng(0)
    x = rng.random((steps * batch_size, *model.image_shape), "float32")
    y = rng.integers(model.num_classes, size=len(x))
    pairs = kv.mixed_pair_dataset(
        x, y, model.mask_sampler(), epochs=1, batch_size=batch_size
    )
    profile = cProfile.Profile()
    profile.runcall(model.fit, pairs, verbose=0)
    return pstats.Stats(profile).total_calls


if __name__ == "__main__":
    main()
