"""How long `predict` takes beside decoding and the bare network, and its memory.

    KERAS_BACKEND=torch python benchmarks/predict_speed.py [--files 10000]

It writes PNG files of 64 x 64 pixels and a small MixViT for 32 x 32 pixels, then
measures two ways, each in a process of its own: `predict` on all files, and the work
that no way can avoid, decoding and resizing all files and `model.predict` on the
arrays. It prints both times, their ratio, and how much memory each way adds to what the
process holds after a warm-up: the most of a sample after every 100 images, on Linux.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIZE, CLASSES = 32, 10


def write(folder: Path, count: int) -> None:
    """Writes the files and the model."""
    from keras_mixvit import ConViT, MixViT

    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for i in range(count):
        # Smooth, so that files are as small as photos are.
        small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), "uint8"))
        small.resize((64, 64), 3).save(folder / "photos" / f"{i:05}.png")
    backbone = ConViT(
        (SIZE, SIZE, 3), patch_size=4, width=96, num_heads=4, std=[64] * 3
    )
    MixViT(backbone, CLASSES).save(folder / "model.keras")


def held() -> float:
    """The memory that this process holds now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure(kind: str, folder: Path) -> dict:
    """Seconds and growth of the memory of one way."""
    from keras_mixvit import load_model, predict
    from keras_mixvit.prediction._pixels import file_pixels

    model = load_model(folder / "model.keras")
    files = sorted((folder / "photos").iterdir())
    shape, limit = (SIZE, SIZE, 3), 10**8
    # What is compiled or imported once is no part of either.
    list(predict(model, files[:128]))
    model.predict(np.zeros((128, *shape), "uint8"), batch_size=64, verbose=0)
    before, most, count, start = held(), 0.0, 0, time.perf_counter()
    if kind == "predict":
        for found in predict(model, files):
            count += found.error is None
            if count % 100 == 0:
                most = max(most, held())
    else:
        images = np.stack([file_pixels(path, shape, limit) for path in files])
        most = held()
        count = len(model.predict(images, batch_size=64, verbose=0))
    seconds = time.perf_counter() - start
    most = max(most, held())
    return {"seconds": seconds, "grown": most - before, "count": count}


def main() -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        kind, folder = options.measure
        print(json.dumps(measure(kind, Path(folder))))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), options.files)
        best: dict = {}
        for _ in range(options.repeat):
            for kind in ("bare", "predict"):
                words = [sys.executable, __file__, "--measure", kind, folder]
                result = subprocess.run(
                    words, env=os.environ, capture_output=True, text=True, check=True
                )
                found = json.loads(result.stdout.splitlines()[-1])
                best[kind] = min(
                    (found, best.get(kind, found)), key=lambda each: each["seconds"]
                )
    for kind, found in best.items():
        rate = found["count"] / found["seconds"]
        print(
            f"{kind}: {found['seconds']:.2f} s, {rate:.0f} images a second, "
            f"at most {found['grown']:.0f} MB more memory"
        )
    ratio = best["predict"]["seconds"] / best["bare"]["seconds"]
    print(f"predict / (decoding + model.predict) = {ratio:.2f}")


if __name__ == "__main__":
    main()
