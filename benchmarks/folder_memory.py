"""Memory and images per second of a folder of images, against a bound.

    python benchmarks/folder_memory.py [--images 50000] [--size 64]

Makes a folder of PNG files in 20 classes, loads it and streams one epoch of batches in
order. It prints the peak of resident memory minus the resident memory after the
imports. Runs on Linux.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import keras_mixvit

CLASSES = 20
BOUND = 300


def make(folder: Path, images: int, size: int) -> None:
    """Writes noise in few colours, which PNG stores quickly."""
    rng = np.random.default_rng(0)
    for k in range(CLASSES):
        (folder / f"class{k:02d}").mkdir()
    for i in range(images):
        pixels = rng.integers(0, 8, (size, size, 3), "uint8") * 32
        path = folder / f"class{i % CLASSES:02d}" / f"{i:06d}.png"
        Image.fromarray(pixels).save(path, compress_level=1)


def peak() -> float:
    """Peak of resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def resident() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # In another process, so its memory does not count.
        making = multiprocessing.get_context("spawn").Process(
            target=make, args=(Path(folder), options.images, options.size)
        )
        making.start()
        making.join()
        before, start = resident(), time.perf_counter()
        found = keras_mixvit.load(folder)
        listed = time.perf_counter() - start
        batches = found.batches(options.batch)
        start = time.perf_counter()
        seen = sum(len(batches[i][0]) for i in range(len(batches)))
        seconds = time.perf_counter() - start
    rise = peak() - before
    print(f"{seen} images of {options.size} x {options.size}, {CLASSES} classes")
    print(f"listed in {listed:.2f} s, read at {seen / seconds:.0f} images/s")
    verdict = "ok" if rise <= BOUND else "over"
    print(f"memory {rise:.0f} MB above {before:.0f} MB  bound {BOUND} MB  {verdict}")
