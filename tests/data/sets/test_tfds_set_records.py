"""Sets of TensorFlow Datasets in TFRecord files."""

import gzip
import os

import numpy as np
import pytest

from keras_mixvit.data import load
from keras_mixvit.data.sets import _tfds_set as tfds_set
from keras_mixvit.data.sources._tf_records import masked_crc32c
from tests.data.shards import tfrecord_of
from tests.data.tfds import NAMES, Builder, Features, Label, encoded


def test_tfrecords_are_read_on_demand_and_their_labels_once(tfds):
    tfds.options |= {"file_format": "tfrecord", "images": 12}
    Features.parsed = 0
    found = load("tfds:small")
    assert Features.parsed == 12
    # The last shard holds two images.
    assert found.images.shards.tolist() == [0, 10]
    assert found.images[[11, 9]][:, 0, 0, 0].tolist() == [11, 9]
    again = load("tfds:small")
    assert Features.parsed == 14
    assert again.labels.tolist() == found.labels.tolist() == [0, 1, 2] * 4
    # A file that changes is read again.
    path = tfds.options["folder"] / "0.tfrecord"
    os.utime(path, (1, 1))
    load("tfds:small")
    assert Features.parsed == 26


def test_shards_that_are_sorted_by_class_are_mixed_as_a_whole(tfds):
    tfds.options |= {"file_format": "tfrecord", "images": 12}
    folder, order = tfds.options["folder"], sorted(range(12), key=lambda i: i % 3)
    Builder(**tfds.options)
    records = [bytes([i % 3]) + encoded(i, (4, 4, 3)) for i in order]
    for shard, part in enumerate((records[:4], records[4:])):
        (folder / f"{shard}.tfrecord").write_bytes(tfrecord_of(*part))
    found = load("tfds:small")
    assert found.images.shards is None
    assert found.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_a_list_of_classes_keeps_the_shards(tfds, tmp_path, monkeypatch):
    monkeypatch.setattr(Label, "names", [f"n{k}" for k in range(3)])
    tfds.options |= {
        "file_format": "tfrecord",
        "images": 12,
        "shape": (None, None, 3),
    }
    found = tfds_set.TFDSSet("small", classes=("n1", "n2")).load(
        "train", (4, 4), None, "raise"
    )
    # Without class 0, the shard of ten images holds six.
    assert found.images.shards.tolist() == [0, 6]
    assert found.images[:][:, 0, 0, 0].tolist() == [1, 2, 4, 5, 7, 8, 10, 11]


DAMAGES = {
    "its end is missing": lambda content: content[:-3],
    "a damaged length": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "a damaged checksum": lambda content: content[:8] + b"????" + content[12:],
    "compressed": gzip.compress,
    "too short": lambda content: content[:5],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_shards_are_refused(damage, tfds):
    tfds.options["file_format"] = "tfrecord"
    Builder(**tfds.options)
    path = tfds.options["folder"] / "1.tfrecord"
    path.write_bytes(damage(path.read_bytes()))
    text = (
        r"Shards must be intact TFRecord files, not compressed\. "
        r"Received: shard='.*1\.tfrecord', record=[01]"
    )
    with pytest.raises(ValueError, match=text):
        load("tfds:small")


def test_shards_that_are_missing_or_incomplete_are_refused(tfds):
    tfds.options["file_format"] = "tfrecord"
    Builder(**tfds.options)
    path = tfds.options["folder"] / "1.tfrecord"
    content = path.read_bytes()
    path.write_bytes(b"")
    text = r"as dataset_info\.json says\. .*records=4, expected=6"
    with pytest.raises(ValueError, match=text):
        load("tfds:small")
    path.unlink()
    text = r"Every shard of a set must be there\. .*1\.tfrecord'\], shards=2"
    with pytest.raises(ValueError, match=text):
        load("tfds:small")
    path.write_bytes(content)
    found = load("tfds:small")
    # Another process may change it later.
    path.write_bytes(content[:40])
    with pytest.raises(ValueError, match=r"Records must be intact\. .*record=1, error"):
        found.images[5]


def test_a_damaged_cache_of_labels_is_written_again(tfds, caches):
    tfds.options["file_format"] = "tfrecord"
    found = load("tfds:small")
    (place,) = (caches / "shards").iterdir()
    with np.load(place) as file:
        kept = dict(file)
    for name, value in (
        ("labels", kept["labels"][1:]),
        ("places", kept["places"][1:]),
        ("lengths", kept["lengths"].astype("float64")),
    ):
        np.savez(place, **kept | {name: value})
        again = load("tfds:small")
        assert again.labels.tolist() == found.labels.tolist()
        assert again.images[:].tolist() == found.images[:].tolist()


def test_the_checksum_is_that_of_the_format():
    # CRC-32C of this text is a published check value.
    rotated = ((0xE3069283 >> 15) | (0xE3069283 << 17)) & 0xFFFFFFFF
    assert masked_crc32c(b"123456789") == (rotated + 0xA282EAD8) % 2**32


def test_a_real_set_of_tfrecords(tmp_path, caches):
    """The package itself writes the files, if it is installed."""
    real = pytest.importorskip("tensorflow_datasets")
    features = real.features.FeaturesDict(
        {
            "image": real.features.Image(shape=(None, None, 3)),
            "label": real.features.ClassLabel(names=NAMES),
        }
    )

    class Small(real.core.GeneratorBasedBuilder):
        # It is no file of a package.
        code_path = None
        VERSION = real.core.Version("1.0.0")

        def _info(self):
            return real.core.DatasetInfo(
                builder=self, features=features, supervised_keys=("image", "label")
            )

        def _split_generators(self, manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for i in range(9):
                pixels = np.full((4, 5, 3), i, "uint8")
                yield i, {"image": pixels, "label": i % 3}

    builder = Small(data_dir=tmp_path)
    config = real.download.DownloadConfig(num_shards=3)
    builder.download_and_prepare(download_config=config)
    found = load("tfds:small", data_dir=tmp_path, image_size=(4, 5))
    values = found.images[:][:, 0, 0, 0]
    assert sorted(values.tolist()) == list(range(9))
    np.testing.assert_array_equal(values % 3, found.labels)
    assert found.images.shards is None or len(found.images.shards) == 3
