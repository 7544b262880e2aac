"""What augmentation inside the compiled step costs.

    KERAS_BACKEND=jax python benchmarks/device_augmentation.py [--batch 128]

Runs training steps of the MixViT paper's ConViT, in turn, on batches that are already
augmented and on batches of bytes with their random draws (`apply_on="device"`), with
the full recipe of CIFAR. It prints medians and their ratio.
"""

import argparse
import statistics
import time

import keras
import numpy as np

import keras_mixvit as kv
from keras_mixvit.augmentation import (
    Augment,
    AutoAugment,
    HorizontalFlip,
    PadCrop,
    RandomErasing,
)
from keras_mixvit.data import PixelMixing

RECIPE = Augment([PadCrop(), HorizontalFlip(), AutoAugment(), RandomErasing()])


def measure(width: int, batch: int, repeats: int) -> dict[str, float]:
    """Median seconds of a step by where augmentation runs."""
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(2 * batch, 32, 32, 3)).astype("uint8")
    y = rng.integers(100, size=2 * batch)
    steps, times = {}, {"pipeline": [], "device": []}
    for apply_on in times:
        model = kv.MixViT(kv.ConViT(width=width, mean=127.5, std=64.0), 100)
        model.compile(
            keras.optimizers.AdamW(1e-3),
            keras.losses.CategoricalCrossentropy(from_logits=True),
        )
        data = kv.mixed_pair_dataset(
            x,
            y,
            model.mask_sampler(),
            epochs=1,
            batch_size=batch,
            num_classes=100,
            augment=RECIPE,
            pixel_mixing=PixelMixing("cutmix_and_mixup", 1.0, partners="batch"),
            apply_on=apply_on,
        )
        model.augment_as(data)
        steps[apply_on] = (model, *data[0])
    for step in range(repeats + 2):
        for apply_on, (model, inputs, labels) in steps.items():
            start = time.perf_counter()
            model.train_on_batch(inputs, labels)
            if step > 1:
                times[apply_on].append(time.perf_counter() - start)
    return {apply_on: statistics.median(values) for apply_on, values in times.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    medians = measure(options.width, options.batch, options.repeats)
    print(f"{keras.config.backend()}, batch {options.batch}, width {options.width}")
    for apply_on, value in medians.items():
        print(f"{apply_on:9s} {value:7.3f} s {value / medians['pipeline']:6.3f} x")
