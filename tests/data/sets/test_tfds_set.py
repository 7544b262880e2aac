"""With a stand-in for tensorflow_datasets, which the suite does not need."""

import sys

import numpy as np
import pytest

from keras_mixvit.data import load
from keras_mixvit.data.sets import _tfds_set as tfds_set
from keras_mixvit.data.sets._load import splits
from tests.data.tfds import Builder, ImageFeature, Label


@pytest.mark.parametrize("file_format", ["array_record", "tfrecord", "riegeli"])
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
    text = r"`image_size` must be given if .*name='tfds:small', shape=\(None, None,"
    with pytest.raises(ValueError, match=text):
        load("tfds:small")


def test_a_large_set_without_random_access_says_what_to_do(tfds, monkeypatch):
    monkeypatch.setattr(tfds_set, "LARGEST_IN_MEMORY", 99)
    tfds.options["file_format"] = "riegeli"
    text = (
        r"array_record or TFRecord format; make it by `tfds build small "
        r"--file_format=array_record`, with another --data_dir\. "
        r"Received: name='tfds:small', bytes=100"
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
