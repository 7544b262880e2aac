"""Shards and tables of encoded images for tests."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.files import noise


def encoded(pixels, form="png"):
    """The content of an image file, of pixels or of a seed."""
    pixels = noise(8, 8, 3, seed=pixels) if np.ndim(pixels) == 0 else pixels
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def as_member(name, content=b"", **facts):
    """Header and content of a member of a .tar file."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in facts.items():
        setattr(member, key, value)
    return member, content


def tar_of(*members):
    """The content of a .tar file of members, pairs or those of `as_member`."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in members:
            if isinstance(name, str):
                name, content = as_member(name, content)
            tar.addfile(name, io.BytesIO(content))
    return file.getvalue()


def sample(key, seed, label):
    """The members of one key; the label is that of a .cls file, or an object."""
    if isinstance(label, dict):
        text = (f"{key}.json", json.dumps(label).encode())
    else:
        text = (f"{key}.cls", str(label).encode())
    return [(f"{key}.png", encoded(seed)), text]


def write_shards(folder, split="train", shards=3, images=6, classes=3, first=0):
    """Shards of images, image i of seed i and class i modulo the classes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        own = range(first + shard * images, first + (shard + 1) * images)
        members = [m for i in own for m in sample(f"{i:05d}", i, i % classes)]
        (folder / f"{split}-{shard:03d}.tar").write_bytes(tar_of(*members))
    return folder


def table_of(labels, names=("ant", "bee", "cat"), first=0, **columns):
    """A table of images, image i of seed i, of named classes or plain labels."""
    import datasets

    images = [{"bytes": encoded(first + i), "path": None} for i in range(len(labels))]
    kind = datasets.Value("int64")
    if names is not None:
        kind = datasets.ClassLabel(names=list(names))
    elif labels and isinstance(labels[0], str):
        kind = datasets.Value("string")
    features = {"image": datasets.Image(), "label": kind}
    for name, (feature, _) in columns.items():
        features[name] = feature
    values = {name: values for name, (_, values) in columns.items()}
    content = {"image": images, "label": labels, **values}
    return datasets.Dataset.from_dict(content, features=datasets.Features(features))


def write_tables(folder, **tables):
    """A folder of one .parquet file for each split."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for split, table in tables.items():
        table.to_parquet(str(folder / f"{split}-00000-of-00001.parquet"))
    return folder


def tfrecord_of(*contents):
    """The bytes of a TFRecord file, with checksums computed bit by bit."""

    def masked(content):
        found = 0xFFFFFFFF
        for byte in content:
            found ^= byte
            for _ in range(8):
                found = found >> 1 ^ (0x82F63B78 if found & 1 else 0)
        found ^= 0xFFFFFFFF
        found = ((found >> 15 | found << 17) + 0xA282EAD8) & 0xFFFFFFFF
        return found.to_bytes(4, "little")

    records = []
    for content in contents:
        length = len(content).to_bytes(8, "little")
        records += [length, masked(length), content, masked(content)]
    return b"".join(records)
