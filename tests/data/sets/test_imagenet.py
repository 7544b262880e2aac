import sys

import pytest

from keras_mixvit.data import load
from keras_mixvit.data.sets._load import splits
from tests.data.files import save_image

IMAGENET_MEAN = [123.675, 116.28, 103.53]
IMAGENET_STD = [58.395, 57.12, 57.375]


def save_tiny(folder):
    """Tiny ImageNet as published, with two classes, not in their order."""
    annotations = []
    for k, name in enumerate(["n02", "n01"]):
        for i in range(2):
            image = folder / "train" / name / "images" / f"{name}_{i}.JPEG"
            save_image(image, 100 * k + 10 * i)
        (folder / "train" / name / f"{name}_boxes.txt").write_text("0\t0\t9\t9\n")
        save_image(folder / "val" / "images" / f"val_{k}.JPEG", 50 * k)
        annotations.append(f"val_{k}.JPEG\t{name}\t0\t0\t63\t63\n")
    save_image(folder / "test" / "images" / "test_0.JPEG", 0)
    (folder / "val" / "val_annotations.txt").write_text("".join(annotations))
    (folder / "wnids.txt").write_text("n02\nn01\n")
    (folder / "words.txt").write_text("n01\tgoldfish, Carassius\nn02\tbull\nn03\tx\n")


@pytest.mark.parametrize("place", [".", "tiny-imagenet-200"])
def test_tiny_imagenet_is_read_as_published(place, tmp_path):
    save_tiny(tmp_path / place)
    train = load("tiny-imagenet", data_dir=tmp_path)
    assert train.class_names == ("goldfish", "bull")
    assert train.labels.tolist() == [0, 0, 1, 1]
    assert train.images[:][:, 0, 0, 0].tolist() == [100, 110, 0, 10]
    val = load("tiny-imagenet", "val", data_dir=tmp_path)
    assert val.labels.tolist() == [1, 0]
    assert val.images[:][:, 0, 0, 0].tolist() == [0, 50]
    assert train.statistics() == val.statistics() == ([127.5] * 3, [127.5] * 3)
    assert splits("tiny-imagenet", tmp_path) == ("train", "val")


def test_the_test_split_of_tiny_imagenet_has_no_labels(tmp_path):
    save_tiny(tmp_path)
    text = r"one of 'train', 'val'; the images of 'test' have no labels\. Received: "
    with pytest.raises(ValueError, match=text):
        load("tiny-imagenet", "test", data_dir=tmp_path)


def test_tiny_imagenet_must_be_complete(tmp_path):
    save_tiny(tmp_path)
    (tmp_path / "wnids.txt").write_text("n02\nn01\nn07\n")
    text = r"must have a folder for every class of the list\. .* missing=\['n07'\]"
    with pytest.raises(ValueError, match=text):
        load("tiny-imagenet", data_dir=tmp_path)
    (tmp_path / "wnids.txt").unlink()
    annotations = tmp_path / "val" / "val_annotations.txt"
    annotations.write_text("val_0.JPEG\tn08\t0\t0\t63\t63\n")
    with pytest.raises(ValueError, match=r"must be in the train .* unknown='n08'"):
        load("tiny-imagenet", "val", data_dir=tmp_path)


def test_tiny_imagenet_that_is_not_there_says_what_is_missing(tmp_path):
    text = r"`data_dir` must be the unpacked folder tiny-imagenet-200, or hold it\. "
    for place in (None, tmp_path):
        with pytest.raises(ValueError, match=text + r"Received: data_dir="):
            load("tiny-imagenet", data_dir=place)


def save_imagenet(folder, count):
    """Folders of classes; only the first and the last have images of their own."""
    save_image(folder / "one.png", 7)
    for split in ("train", "val"):
        for k in range(count):
            (folder / split / f"n{k:04d}").mkdir(parents=True)
            (folder / split / f"n{k:04d}" / "0.png").hardlink_to(folder / "one.png")


@pytest.mark.parametrize(
    ("name", "count"), [("imagenet100", 100), ("imagenet1k", 1000)]
)
def test_imagenet_is_of_folders_of_classes(name, count, tmp_path):
    save_imagenet(tmp_path / "imagenet", count)
    found = load(name, "val", data_dir=tmp_path, image_size=8)
    assert found.num_classes == len(found.images) == count
    assert found.labels.tolist() == list(range(count))
    assert found.class_names[-1] == f"n{count - 1:04d}"
    mean, std = found.statistics()
    assert mean == pytest.approx(IMAGENET_MEAN)
    assert std == pytest.approx(IMAGENET_STD)
    assert found.images[count - 1].shape == (8, 8, 3)


def test_imagenet_of_another_number_of_classes_is_refused(tmp_path):
    save_imagenet(tmp_path, 3)
    text = r"train split of imagenet1k must have 1000 folders of classes\. .*classes=3"
    with pytest.raises(ValueError, match=text):
        load("imagenet1k", data_dir=tmp_path)
    text = r"must have 100 folders of classes, or imagenet100\.txt must list them\. "
    with pytest.raises(ValueError, match=text):
        load("imagenet100", data_dir=tmp_path)


def test_a_list_takes_100_classes_out_of_imagenet(tmp_path):
    save_imagenet(tmp_path, 120)
    listed = [f"n{k:04d}" for k in range(119, 19, -1)]
    (tmp_path / "imagenet100.txt").write_text("\n".join(f"{n} a b" for n in listed))
    (tmp_path / "words.txt").write_text("n0020\tbull, ox\n")
    for split in ("train", "val"):
        found = load("imagenet100", split, data_dir=tmp_path)
        assert found.class_names == ("bull", *sorted(listed)[1:])
        assert found.images.path(0).endswith("n0020/0.png")
        assert found.labels.tolist() == list(range(100))
    (tmp_path / "imagenet100.txt").write_text("\n".join(listed[1:]))
    text = r"imagenet100\.txt must list 100 classes\. Received: .*classes=99"
    with pytest.raises(ValueError, match=text):
        load("imagenet100", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["imagenet100", "imagenet1k"])
def test_imagenet_that_is_not_there_says_what_is_missing(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    text = rf"`data_dir` must hold the folders train and val of {name}, with a folder"
    with pytest.raises(ValueError, match=text):
        load(name, data_dir=tmp_path)
