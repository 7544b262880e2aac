"""Sets of TensorFlow Datasets."""

import os

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.data.sources._shard_cache import (
    cache_file,
    read_kept,
    states_of,
    write_kept,
)
from keras_mixvit.data.sources._tar_items import mixes_classes
from keras_mixvit.data.sources._tf_records import RecordIndex, TFRecords, record_index
from keras_mixvit.data.sources._tfds_images import TFDSImages

SPLIT_NAMES = {"train": ("train",), "val": ("validation", "val"), "test": ("test",)}
# The most bytes of encoded images that are held in memory.
LARGEST_IN_MEMORY = 2**30


class TFDSSet:
    """A set of TensorFlow Datasets with images and labels.

    Records of the formats array_record and TFRecord are read on demand. A set in
    another format is held in memory, as encoded images, if it takes at most 1 GiB. A
    missing set is made, as array_record. The labels are read once, and kept until a
    file changes.

    Args:
        name: String, as `tfds.builder` takes it.
        data_dir: Path of the folder of TensorFlow Datasets, or `None` for its
            own. Defaults to `None`.
        classes: Sequence of names of the classes to take, or `None` for all.
            Defaults to `None`.
        mean: Tuple of floats, the published mean, or `None`. Defaults to
            `None`.
        std: Tuple of floats, likewise. Defaults to `None`.
        unlabelled: Tuple of splits without labels. Defaults to `()`.
    """

    def __init__(
        self, name, data_dir=None, classes=None, mean=None, std=None, unlabelled=()
    ):
        self.name = name
        self.classes = classes
        self.mean = mean
        self.std = std
        self.unlabelled = unlabelled
        self.builder = prepared(name, data_dir)
        held = self.builder.info.splits
        self.names = {
            split: next(n for n in names if n in held)
            for split, names in SPLIT_NAMES.items()
            if set(names) & set(held)
        }

    def splits(self) -> tuple[str, ...]:
        """The splits that exist and have labels."""
        return tuple(s for s in self.names if s not in self.unlabelled)

    def load(self, split: str, image_size, resize_share, on_error: str) -> ImageSet:
        """The images of a split; a damaged record is always an error."""
        image_key, label_key = self._keys()
        features = self.builder.info.features
        own = tuple(features[image_key].shape)
        require(
            image_size is not None or None not in own[:2],
            "`image_size` must be given if images differ in size.",
            name=f"tfds:{self.name}",
            shape=own,
        )
        size = own[:2] if image_size is None else tuple(image_size)
        records, labels = self._records(self.names[split], image_key, label_key)
        names, indices = tuple(features[label_key].names), None
        if self.classes is not None:
            missing = sorted(set(self.classes) - set(names))
            require(
                not missing, "Classes of the list must be in the set.", missing=missing
            )
            numbers = np.full(len(names), -1)
            numbers[[names.index(n) for n in self.classes]] = range(len(self.classes))
            indices = np.flatnonzero(numbers[labels] >= 0)
            labels, names = numbers[labels][indices], tuple(self.classes)
        shape = (*size, 1 if own[2] == 1 else 3)
        images = TFDSImages(
            records, shape, size != own[:2], resize_share, image_key, indices
        )
        return ImageSet(images, labels, names, self.mean, self.std)

    def _keys(self):
        """Names of the images and of the labels."""
        import tensorflow_datasets as tfds

        keys = tuple(self.builder.info.supervised_keys or ())
        types = (tfds.features.Image, tfds.features.ClassLabel)
        features = self.builder.info.features
        require(
            len(keys) == 2
            and all(
                isinstance(features[k], t) for k, t in zip(keys, types, strict=True)
            )
            and np.dtype(features[keys[0]].np_dtype) == np.uint8,
            "`tfds:NAME` must name a set of uint8 images with one label each.",
            name=f"tfds:{self.name}",
            supervised_keys=keys,
        )
        return keys

    def _records(self, split, image_key, label_key):
        """The records of a split, and their labels."""
        import tensorflow_datasets as tfds

        decoders = {image_key: tfds.decode.SkipDecoding()}
        paths = self._paths(split)
        states, place = states_of(paths), cache_file(paths, "labels", label_key)
        kept = read_kept(place, states) or {}
        try:
            records = self.builder.as_data_source(split=split, decoders=decoders)
            index = None
        except NotImplementedError:
            if self.builder.info.file_format.value != "tfrecord":
                return self._held(split, label_key, decoders)
            index = _index(kept) or record_index(paths)
            parse = self.builder.info.features.deserialize_example_np
            records = TFRecords(paths, index, lambda c: parse(c, decoders=decoders))
        count = self.builder.info.splits[split].num_examples
        require(
            len(records) == count,
            "Shards must hold as many records as dataset_info.json says.",
            name=f"tfds:{self.name}",
            records=len(records),
            expected=count,
        )
        labels = kept.get("labels")
        if labels is None or labels.shape != (count,) or labels.dtype != "int32":
            labels = labels_of(records, label_key)
            places = {} if index is None else index._asdict()
            write_kept(place, states, {"labels": labels, **places})
        if index is not None and not mixes_classes(labels, index.starts):
            # Sorted shards would make batches of few classes.
            records.starts = None
        return records, labels

    def _paths(self, split):
        """Paths of the files of a split, which must all be there."""
        paths = [str(path) for path in self.builder.info.splits[split].filepaths]
        missing = [path for path in paths if not os.path.isfile(path)]
        require(
            not missing,
            "Every shard of a set must be there.",
            name=f"tfds:{self.name}",
            missing=missing[:3],
            shards=len(paths),
        )
        return paths

    def _held(self, split, label_key, decoders):
        """All records of a small split, in memory, and their labels."""
        import tensorflow_datasets as tfds

        size = self.builder.info.splits[split].num_bytes
        require(
            size <= LARGEST_IN_MEMORY,
            "A set of TensorFlow Datasets of more than 1 GiB must be in the "
            f"array_record or TFRecord format; make it by `tfds build {self.name} "
            "--file_format=array_record`, with another --data_dir.",
            name=f"tfds:{self.name}",
            bytes=size,
        )
        found = self.builder.as_dataset(split=split, decoders=decoders)
        records = list(tfds.as_numpy(found))
        return records, labels_of(records, label_key)


def _index(kept):
    """The index of TFRecord files in a cache, or `None` if it does not fit together."""
    if not {*RecordIndex._fields, "labels"} <= set(kept):
        return None
    index = RecordIndex(*(kept[name] for name in RecordIndex._fields))
    counts = {len(index.places), len(index.lengths), len(kept["labels"])}
    is_whole = len(counts) == 1 and all(array.dtype == "int64" for array in index)
    return index if is_whole else None


def prepared(name: str, data_dir):
    """The builder of a set on the disk, which is made if it is missing."""
    try:
        import tensorflow_datasets as tfds
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Sets of TensorFlow Datasets need tensorflow-datasets: "
            f'pip install "keras_mixvit[data]" ({error}).'
        ) from error
    place = {} if data_dir is None else {"data_dir": str(data_dir)}
    try:
        builder = tfds.builder(name, **place)
    except Exception as error:
        raise ValueError(
            "`tfds:NAME` must name a set that TensorFlow Datasets knows. Received: "
            f"name='tfds:{name}', error={_first_line(error)!r}"
        ) from error
    if not builder.is_prepared():
        try:
            builder = tfds.builder(name, file_format="array_record", **place)
            builder.download_and_prepare()
        except Exception as error:
            raise OSError(
                f"{name} could not be made by TensorFlow Datasets "
                f"({_first_line(error)}). Without a network, make it elsewhere, by "
                f"`tfds build {name} --file_format=array_record`, and name its folder "
                "as `data_dir`."
            ) from error
    return builder


def _first_line(error):
    # The rest of the message lists all known sets.
    return str(error).strip().split("\n")[0]


def labels_of(records, key: str) -> np.ndarray:
    """The label of every record. It reads all records, which takes a while."""
    count = len(records)
    bar = keras.utils.Progbar(count) if count >= 100_000 else None
    labels = np.empty(count, "int32")
    for i in range(count):
        labels[i] = records[i][key]
        if bar and i % 1000 == 999:
            bar.update(i + 1)
    return labels
