"""A training step with `LayerwiseAdamW` against one with Keras's AdamW.

    KERAS_BACKEND=torch python benchmarks/layerwise.py --width 48

Both train the same network in turns. Seconds are of the processor, so that a busy
machine changes them little; the ratio of the medians is the result. Set
OMP_NUM_THREADS=1.
"""

import argparse
import statistics
import time

import keras
import numpy as np

import keras_mixvit as kv
from keras_mixvit.optimizers import LayerwiseAdamW


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=48, help="of the ConViT")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8, help="of one turn")
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    found = {name: [] for name in ("AdamW", "LayerwiseAdamW")}
    models = {name: made(name, options.width) for name in found}
    rng = np.random.default_rng(0)
    count = options.steps * options.batch_size
    x = rng.random((count, 32, 32, 3), "float32")
    y = rng.integers(10, size=count)
    # The first turn traces and compiles.
    for turn in range(options.turns + 1):
        for name, model in models.items():
            began = time.process_time()
            model.fit(x, y, batch_size=options.batch_size, verbose=0)
            if turn:
                found[name].append((time.process_time() - began) / options.steps)
    plain, layerwise = map(statistics.median, found.values())
    print(
        f"{keras.config.backend()}, {len(models['AdamW'].trainable_variables)} "
        f"variables: AdamW {1e3 * plain:.1f} ms a step, LayerwiseAdamW "
        f"{1e3 * layerwise:.1f} ms, ratio {layerwise / plain:.2f}"
    )


def made(name, width):
    """A network with one of the two optimizers."""
    keras.utils.set_random_seed(0)
    model = kv.SingleNetwork(kv.ConViT(width=width, num_heads=4), 10)
    optimizer = keras.optimizers.AdamW(1e-3, weight_decay=0.05)
    if name == "LayerwiseAdamW":
        optimizer = LayerwiseAdamW(1e-3, 0.05, rates=model.layer_rates(0.75))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    return model


if __name__ == "__main__":
    main()
