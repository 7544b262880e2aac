"""With a stand-in for tensorflow_datasets, which the suite does not need."""

import io
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from keras_mixvit.data import load
from keras_mixvit.data.sets import _tfds_set as tfds_set
from keras_mixvit.data.sets._load import splits

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


class Builder:
    """A set of six images, i being of class i % 3 in splits of tfds."""

    def __init__(self, shape, file_format, is_prepared, names):
        self.is_prepared = lambda: is_prepared
        self.file_format = file_format
        self.shape = shape
        self.downloaded = False
        features = {"image": ImageFeature(shape=shape), "label": Label()}
        self.info = SimpleNamespace(
            features=features,
            supervised_keys=("image", "label"),
            splits={name: SimpleNamespace(num_bytes=100) for name in names},
        )

    def download_and_prepare(self):
        self.downloaded = True

    def records(self, split, decoders):
        assert split in self.info.splits
        assert isinstance(decoders["image"], SkipDecoding)
        return [
            {"image": encoded(i, self.shape), "label": np.int64(i % 3)}
            for i in range(6)
        ]

    def as_data_source(self, split, decoders):
        if self.file_format != "array_record":
            raise NotImplementedError("no random access")
        return self.records(split, decoders)

    def as_dataset(self, split, decoders):
        assert self.file_format == "tfrecord"
        return iter(self.records(split, decoders))


@pytest.fixture
def tfds(monkeypatch):
    """The stand-in; what it is asked for is in `asked`."""
    module = ModuleType("tensorflow_datasets")
    module.__spec__ = ModuleSpec("tensorflow_datasets", None)
    module.decode = SimpleNamespace(SkipDecoding=SkipDecoding)
    module.features = SimpleNamespace(Image=ImageFeature, ClassLabel=Label)
    module.as_numpy = lambda dataset: dataset
    module.asked, module.made = [], []
    module.options = {
        "shape": (4, 4, 3),
        "file_format": "array_record",
        "is_prepared": True,
        "names": ("train", "validation"),
    }

    def builder(name, **options):
        if name == "nonesuch":
            raise LookupError("Dataset nonesuch not found.\nAvailable: very many")
        module.asked.append((name, options))
        module.made.append(Builder(**module.options))
        return module.made[-1]

    module.builder = builder
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)
    return module


@pytest.mark.parametrize("file_format", ["array_record", "tfrecord"])
def test_records_become_images_with_labels(file_format, tfds, tmp_path):
    tfds.options["file_format"] = file_format
    found = load("tfds:small", "val", data_dir=tmp_path)
    assert tfds.asked[0] == ("small", {"data_dir": str(tmp_path)})
    assert (found.images.shape, found.images.varies) == ((6, 4, 4, 3), False)
    assert found.images[[5, 0]][:, 0, 0, 0].tolist() == [5, 0]
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.class_names == ("ant", "bee", "cat")
    assert splits("tfds:small") == ("train", "val")
    assert tfds.asked[1] == ("small", {})
    assert not any(builder.downloaded for builder in tfds.made)


def test_images_of_several_sizes_are_resized(tfds):
    tfds.options["shape"] = (None, None, 1)
    found = load("tfds:small", image_size=8)
    assert (found.images.shape, found.images.varies) == ((6, 8, 8, 1), True)
    assert found.images[:].shape == (6, 8, 8, 1)
    text = r"`image_size` must be given where .*name='tfds:small', shape=\(None, None,"
    with pytest.raises(ValueError, match=text):
        load("tfds:small")


def test_a_large_set_without_random_access_says_what_to_do(tfds, monkeypatch):
    monkeypatch.setattr(tfds_set, "LARGEST_IN_MEMORY", 99)
    tfds.options["file_format"] = "tfrecord"
    text = (
        r"array_record; make it by `tfds build small --file_format=array_record`, with "
        r"another --data_dir\. Received: name='tfds:small', bytes=100"
    )
    with pytest.raises(ValueError, match=text):
        load("tfds:small")


def test_a_set_that_is_not_there_is_made_as_array_record(tfds):
    tfds.options["is_prepared"] = False
    load("tfds:small", data_dir="there")
    assert tfds.asked[1] == (
        "small",
        {"file_format": "array_record", "data_dir": "there"},
    )
    assert tfds.made[1].downloaded


def test_a_set_that_cannot_be_made_says_what_to_do(tfds, monkeypatch):
    def fail(self):
        raise AssertionError("no network\nand much more")

    monkeypatch.setattr(Builder, "download_and_prepare", fail)
    tfds.options["is_prepared"] = False
    text = (
        r"small could not be made by TensorFlow Datasets \(no network\)\. Without a "
        r"network, make it elsewhere, by `tfds build small --file_format=array_record`"
    )
    with pytest.raises(OSError, match=text):
        load("tfds:small")


def test_an_unknown_set_is_refused(tfds):
    text = (
        r"`tfds:NAME` must name a set that TensorFlow Datasets knows\. Received: "
        r"name='tfds:nonesuch', error='Dataset nonesuch not found\.'$"
    )
    with pytest.raises(ValueError, match=text):
        load("tfds:nonesuch")


def test_a_set_that_is_not_of_labelled_images_is_refused(tfds, monkeypatch):
    text = r"must name a set of uint8 images with one label each\. Received: name="
    monkeypatch.setattr(ImageFeature, "np_dtype", np.uint16)
    with pytest.raises(ValueError, match=text):
        load("tfds:small")
    monkeypatch.setattr(ImageFeature, "np_dtype", np.uint8)
    tfds.features.Image = Label
    with pytest.raises(ValueError, match=text):
        load("tfds:small")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(
        ModuleNotFoundError, match=r'pip install "keras_mixvit\[data\]"'
    ):
        load("tfds:small")


def test_imagenet_comes_from_tfds_where_there_is_no_folder(tfds, tmp_path):
    tfds.options |= {"shape": (None, None, 3), "names": ("train", "validation", "test")}
    found = load("imagenet1k", data_dir=tmp_path, image_size=4)
    assert tfds.asked[0] == ("imagenet2012", {"data_dir": str(tmp_path)})
    assert found.statistics()[0] == pytest.approx([123.675, 116.28, 103.53])
    assert splits("imagenet1k", tmp_path) == ("train", "val")
    with pytest.raises(ValueError, match=r"the images of 'test' have no labels"):
        load("imagenet1k", "test", data_dir=tmp_path, image_size=4)


def test_a_list_takes_its_classes_out_of_imagenet(tfds, tmp_path, monkeypatch):
    names = [f"n{k:03d}" for k in range(101)]
    monkeypatch.setattr(Label, "names", names)
    tfds.options["shape"] = (None, None, 3)
    with pytest.raises(ValueError, match=r"its imagenet2012 and imagenet100\.txt\."):
        load("imagenet100", data_dir=tmp_path, image_size=4)
    (tmp_path / "imagenet100.txt").write_text("\n".join(names[1:]))
    found = load("imagenet100", data_dir=tmp_path, image_size=4)
    # Images 0 and 3 are of the class that is not listed.
    assert found.images[:][:, 0, 0, 0].tolist() == [1, 2, 4, 5]
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert found.class_names == tuple(names[1:])
    (tmp_path / "imagenet100.txt").write_text("\n".join([*names[2:], "n999"]))
    with pytest.raises(ValueError, match=r"must be in the set\. .*missing=\['n999'\]"):
        load("imagenet100", data_dir=tmp_path, image_size=4)
