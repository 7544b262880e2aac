"""Images per second of the input pipeline, beside other pipelines.

One process and one thread, for this library and for plain NumPy. The task: take the
images of a batch of pairs, pad them by 4, crop them, and flip half of them. `plain
NumPy` does only that, in one vectorised gather; `NumPy slices` copies one image at a
time, which is NumPy's fastest way.
"""

import argparse
import time

import numpy as np

from keras_mixvit.augmentation import (
    Augment,
    AutoAugment,
    HorizontalFlip,
    PadCrop,
    RandomErasing,
)
from keras_mixvit.data import PixelMixing, mixed_pair_dataset
from keras_mixvit.masks import PatchCutMix

PAD = 4
EXAMPLES = 5000


def draws(rng, n, pairs):
    places = rng.integers(2 * PAD + 1, size=(2, n))
    return pairs.reshape(-1), *places, rng.random(n) < 0.5


def numpy_gather(x, batch_size, batches):
    """Bare NumPy: one gather of padded images, crop and flip folded into it."""
    rng = np.random.default_rng(0)
    padded = np.pad(x, [(0, 0), (PAD, PAD), (PAD, PAD), (0, 0)])
    side = np.arange(x.shape[1])
    for _ in range(batches):
        pairs = rng.integers(len(x), size=(batch_size, 2))
        chosen, rows, columns, flipped = draws(rng, pairs.size, pairs)
        along = np.where(flipped[:, None], side[::-1], side)
        rows = (rows[:, None] + side)[:, :, None]
        columns = (columns[:, None] + along)[:, None, :]
        yield padded[chosen[:, None, None], rows, columns]


def numpy_slices(x, batch_size, batches):
    """Bare NumPy: one slice of a padded image at a time."""
    rng = np.random.default_rng(0)
    padded = np.pad(x, [(0, 0), (PAD, PAD), (PAD, PAD), (0, 0)])
    side = x.shape[1]
    for _ in range(batches):
        pairs = rng.integers(len(x), size=(batch_size, 2))
        result = np.empty((pairs.size, *x.shape[1:]), x.dtype)
        parts = [part.tolist() for part in draws(rng, pairs.size, pairs)]
        for i, (chosen, row, column, flipped) in enumerate(zip(*parts, strict=True)):
            image = padded[chosen, row : row + side, column : column + side]
            result[i] = image[:, ::-1] if flipped else image
        yield result


def ours(x, y, batch_size, batches, **arguments):
    data = mixed_pair_dataset(
        x, y, PatchCutMix(4), epochs=100, batch_size=batch_size, **arguments
    )
    for step in range(batches):
        yield data.batch(*divmod(step, len(data)))[0]["images"]


def tf_data(x, batch_size, batches):
    import tensorflow as tf

    def changed(image):
        image = tf.pad(image, [(PAD, PAD), (PAD, PAD), (0, 0)])
        image = tf.image.random_crop(image, x.shape[1:])
        return tf.image.random_flip_left_right(image)

    data = tf.data.Dataset.from_tensor_slices(x).repeat().shuffle(10_000)
    data = data.map(changed, num_parallel_calls=tf.data.AUTOTUNE)
    yield from data.batch(2 * batch_size).prefetch(2).take(batches)


class CropFlip:
    """One image at a time, for Grain and PyTorch."""

    def __init__(self, x):
        self.padded = np.pad(x, [(0, 0), (PAD, PAD), (PAD, PAD), (0, 0)])
        self.side = x.shape[1]
        self.rng = np.random.default_rng(0)

    def __len__(self):
        return len(self.padded)

    def __getitem__(self, index):
        row, column = self.rng.integers(2 * PAD + 1, size=2)
        rows, columns = slice(row, row + self.side), slice(column, column + self.side)
        image = self.padded[index, rows, columns]
        return image[:, ::-1].copy() if self.rng.random() < 0.5 else image


def torch_loader(x, batch_size, batches):
    import torch

    loader = torch.utils.data.DataLoader(
        CropFlip(x), 2 * batch_size, shuffle=True, num_workers=2
    )
    for step, batch in enumerate(loader):
        if step == batches:
            break
        yield batch


def grain(x, batch_size, batches):
    import grain.python as pygrain

    source = CropFlip(x)
    data = pygrain.MapDataset.source(source).seed(0).shuffle().repeat()
    data = data.to_iter_dataset().batch(2 * batch_size)
    for _, batch in zip(range(batches), data, strict=False):
        yield batch


def images_per_second(make, batch_size, batches, repeats):
    """Median over repeats, the first batch not counted."""
    rates = []
    for _ in range(repeats):
        iterator = iter(make(batches + 1))
        next(iterator)
        start = time.perf_counter()
        count = sum(1 for _ in iterator)
        rates.append(2 * batch_size * count / (time.perf_counter() - start))
    return float(np.median(rates))


def draw_milliseconds(x, y, augment, mixing, repeats=300):
    """Median time in which everything random of one batch of 129 pairs is drawn."""
    pairs = mixed_pair_dataset(
        x,
        y,
        PatchCutMix(4),
        epochs=150,
        batch_size=129,
        repetitions=3,
        num_classes=20,
        augment=augment,
        pixel_mixing=mixing,
        apply_on="device",
    ).on_device()
    times = []
    for step in range(repeats):
        start = time.perf_counter()
        pairs.batch(*divmod(step, len(pairs)))
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.median(times))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--batches", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", help="an .npz file with x_train of 32 x 32 x 3")
    parser.add_argument("--draws", action="store_true", help="time the draws alone")
    options = parser.parse_args()
    if options.data:
        x = np.load(options.data, allow_pickle=False)["x_train"]
    else:
        rng = np.random.default_rng(0)
        x = rng.integers(256, size=(EXAMPLES, 32, 32, 3)).astype("uint8")
    y, size = np.arange(len(x)) % 20, options.batch
    crop_flip = [PadCrop(PAD), HorizontalFlip()]
    recipe = Augment([*crop_flip, AutoAugment("cifar10"), RandomErasing(0.25)])
    both = PixelMixing("cutmix_and_mixup", probability=1.0, partners="batch")
    if options.draws:
        found = draw_milliseconds(x, y, recipe, both)
        print(f"draws of 129 pairs, full MixViT recipe: {found:.2f} ms")
        return
    cases = {
        "plain NumPy, gather": lambda n: numpy_gather(x, size, n),
        "plain NumPy, slices": lambda n: numpy_slices(x, size, n),
        "mixed pairs, crop and flip": lambda n: ours(
            x, y, size, n, augment=Augment(crop_flip)
        ),
        "mixed pairs, full MixViT recipe": lambda n: ours(
            x, y, size, n, augment=recipe, num_classes=20, pixel_mixing=both
        ),
        "the same, drawn only (device)": lambda n: ours(
            x,
            y,
            size,
            n,
            augment=recipe,
            num_classes=20,
            pixel_mixing=both,
            apply_on="device",
        ),
        "tf.data, all cores": lambda n: tf_data(x, size, n),
        "Grain, one thread": lambda n: grain(x, size, n),
        "torch DataLoader, 2 workers": lambda n: torch_loader(x, size, n),
    }
    base = None
    for name, make in cases.items():
        try:
            rate = images_per_second(make, size, options.batches, options.repeats)
        except ModuleNotFoundError as error:
            print(f"{name:34} not installed ({error.name})")
            continue
        base = base or rate
        print(f"{name:34} {rate:9,.0f} images/s  {rate / base:6.2f}", flush=True)


if __name__ == "__main__":
    main()
