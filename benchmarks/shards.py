"""Images per second and memory of .tar shards, against a folder of files.

    python benchmarks/shards.py [--images 20000] [--size 64] [--shards 40]

Makes JPEG files in 20 classes, as a folder and as shards of the same files. Each case
runs in a process of its own: it loads the set, and reads one epoch of shuffled batches.
The cases take turns, and the median of the ratios of each turn counts. Seconds are
those of the processor, which other programs hardly change. The page cache is warm, so
no disk is measured: only what the library and the system do for each image. Runs on
Linux.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from folder_memory import peak, resident
from PIL import Image

CLASSES = 20
CASES = ("folder", "shards")


def make(base: Path, images: int, size: int, shards: int) -> None:
    """Writes smooth noise, as files and as shards of the same files."""
    rng = np.random.default_rng(0)
    folder = base / "folder"
    for k in range(CLASSES):
        (folder / f"class{k:02d}").mkdir(parents=True)
    (base / "shards").mkdir()
    for shard in range(shards):
        with tarfile.open(base / "shards" / f"train-{shard:04d}.tar", "w") as tar:
            for i in range(shard, images, shards):
                small = rng.integers(0, 256, (size // 8, size // 8, 3), "uint8")
                file = io.BytesIO()
                Image.fromarray(small).resize((size, size)).save(file, "jpeg")
                label = f"class{i % CLASSES:02d}"
                (folder / label / f"{i:06d}.jpg").write_bytes(file.getvalue())
                pair = {"jpg": file.getvalue(), "cls": label.encode()}
                for ending, content in pair.items():
                    member = tarfile.TarInfo(f"{i:06d}.{ending}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))


def measure(name: str, batch: int) -> dict[str, float]:
    """Loads a set and reads one shuffled epoch, in this process."""
    from keras_mixvit import load, mixed_pair_dataset
    from keras_mixvit.masks import PatchCutMix

    before, start = resident(), time.process_time()
    found = load(name)
    loaded = time.process_time() - start
    start = time.process_time()
    load(name)
    again = time.process_time() - start
    masks = PatchCutMix(4)
    pairs = mixed_pair_dataset(
        found.images, found.labels, masks, epochs=1, batch_size=batch, workers=0
    )
    start = time.process_time()
    for i in range(len(pairs)):
        found.images.read(pairs._images_of(0, i))
    seconds = time.process_time() - start
    rate = len(pairs) * batch / seconds
    memory = peak() - before
    return {"loaded": loaded, "again": again, "rate": rate, "memory": memory}


def in_process(name: str, batch: int, caches: str) -> dict[str, float]:
    """What `measure` returns, in a new process."""
    words = [sys.executable, __file__, "--measure", name, "--batch", str(batch)]
    environment = os.environ | {"XDG_CACHE_HOME": caches}
    done = subprocess.run(
        words, env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.batch)))
        return
    found: dict[str, list] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        make(base, options.images, options.size, options.shards)
        for turn in range(options.turns):
            for case in CASES:
                is_folder = case == "folder"
                name = str(base / "folder") if is_folder else f"wds:{base / 'shards'}"
                # Each turn begins without an index in the cache.
                caches = str(base / f"caches{turn}")
                found[case].append(in_process(name, options.batch, caches))
    print(f"{options.images:,} JPEG files of {options.size} x {options.size}")
    for case, rows in found.items():
        loaded, again, rate, memory = (
            statistics.median(row[key] for row in rows)
            for key in ("loaded", "again", "rate", "memory")
        )
        ratio = statistics.median(
            row["rate"] / other["rate"]
            for row, other in zip(rows, found["folder"], strict=True)
        )
        print(
            f"{case:7} loaded in {loaded:.2f} s, again in {again:.2f} s  "
            f"{rate:7,.0f} images/s  {ratio:.2f} of the folder's  {memory:.0f} MB"
        )


if __name__ == "__main__":
    main()
