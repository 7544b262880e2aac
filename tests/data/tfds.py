"""A stand-in for tensorflow_datasets, which the suite does not need."""

import io
from types import SimpleNamespace

import numpy as np
from PIL import Image

from tests.data.shards import tfrecord_of

NAMES = ["ant", "bee", "cat"]


class Feature(SimpleNamespace):
    pass


class ImageFeature(Feature):
    np_dtype = np.uint8


class Label(Feature):
    names = NAMES


class SkipDecoding:
    pass


def encoded(i, shape):
    file = io.BytesIO()
    pixels = np.full((4, 4 + (i % 2 if shape[0] is None else 0), 3), i, "uint8")
    Image.fromarray(pixels[..., 0] if shape[2] == 1 else pixels).save(file, "png")
    return file.getvalue()


class Features(dict):
    """Records are the label and the image, one after the other."""

    parsed = 0

    def deserialize_example_np(self, content, decoders):
        assert isinstance(decoders["image"], SkipDecoding)
        Features.parsed += 1
        return {"image": content[1:], "label": content[0]}


class Builder:
    """A set of six images, i being of class i % 3 in splits of tfds."""

    def __init__(self, shape, file_format, is_prepared, names, folder, images=6):
        self.is_prepared = lambda: is_prepared
        self.shape, self.images = shape, images
        self.downloaded = False
        features = Features(image=ImageFeature(shape=shape), label=Label())
        paths = [folder / f"{shard}.{file_format}" for shard in range(2)]
        self.info = SimpleNamespace(
            features=features,
            supervised_keys=("image", "label"),
            file_format=SimpleNamespace(value=file_format),
            splits={
                name: SimpleNamespace(
                    num_bytes=100, num_examples=images, filepaths=paths
                )
                for name in names
            },
        )
        if not paths[0].exists():
            records = [bytes([i % 3]) + encoded(i, shape) for i in range(images)]
            for path, part in zip(paths, (records[:-2], records[-2:]), strict=True):
                path.write_bytes(tfrecord_of(*part))

    def download_and_prepare(self):
        self.downloaded = True

    def records(self, split, decoders):
        assert split in self.info.splits
        assert isinstance(decoders["image"], SkipDecoding)
        return [
            {"image": encoded(i, self.shape), "label": np.int64(i % 3)}
            for i in range(self.images)
        ]

    def as_data_source(self, split, decoders):
        if self.info.file_format.value != "array_record":
            raise NotImplementedError("no random access")
        return self.records(split, decoders)

    def as_dataset(self, split, decoders):
        assert self.info.file_format.value == "riegeli"
        return iter(self.records(split, decoders))
