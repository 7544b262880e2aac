import re

import numpy as np
import pytest

from keras_mixvit.data import load
from keras_mixvit.data.sets._load import splits
from tests.data.files import noise, save_image
from tests.data.shards import encoded, sample, tar_of, write_shards

pytestmark = [pytest.mark.one_backend, pytest.mark.usefixtures("caches")]


def refused(text, name, split="train", **options):
    with pytest.raises(ValueError, match=re.escape(text)):
        load(name, split, **options)


def write(path, *samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tar_of(*(member for own in samples for member in own)))
    return path


@pytest.fixture
def folder(tmp_path):
    """18 images to train on, in 3 shards, and 6 to validate."""
    write_shards(tmp_path / "set", "imagenet-train")
    return write_shards(tmp_path / "set", "imagenet-validation", 1, first=18)


def test_shards_become_images_with_labels(folder):
    name = f"wds:{folder}"
    assert splits(name) == ("train", "val")
    train, val = load(name), load(name, "val")
    assert train.images.shape == (18, 8, 8, 3)
    assert train.labels.tolist() == [i % 3 for i in range(18)]
    assert train.class_names == ("0", "1", "2")
    found = train.images[[[17, 0], [7, 7]]]
    for place, i in {(0, 0): 17, (0, 1): 0, (1, 0): 7, (1, 1): 7}.items():
        np.testing.assert_array_equal(found[place], noise(8, 8, 3, seed=i))
    np.testing.assert_array_equal(val.images[5], noise(8, 8, 3, seed=23))
    assert train.images.shards.tolist() == [0, 6, 12]
    assert load(name, image_size=4).images.shape == (18, 4, 4, 3)
    with pytest.raises(IndexError):
        train.images[18]


def test_a_batch_leaves_no_shard_open(folder, monkeypatch):
    opened = []

    def open_once(path, mode, **options):
        opened.append(open(path, mode, **options))  # noqa: SIM115
        return opened[-1]

    found = load(f"wds:{folder}")
    items = found.images.items
    module = __import__(type(items).__module__, fromlist=["open"])
    monkeypatch.setattr(module, "open", open_once, raising=False)
    found.images.read([17, 1, 9, 0, 8])
    assert [file.name[-7:-4] for file in opened] == ["000", "001", "002"]
    assert all(file.closed for file in opened)
    found.images.original(3)
    assert opened[3].closed


def test_braces_name_shards_that_must_be_there(folder):
    name = f"wds:{folder}/imagenet-train-{{000..002}}.tar"
    assert len(load(name).labels) == 18
    both = f"wds:{folder}/imagenet-{{train,validation}}-{{000..000}}.tar"
    assert splits(both) == ("train", "val")
    (folder / "imagenet-train-001.tar").unlink()
    refused(
        "`name` must be wds: followed by .tar files that are all there. Received: "
        f"name={name!r}, files=3, missing=1, first=['{folder}/imagenet-train-001.tar']",
        name,
    )


def test_folders_may_be_the_splits(tmp_path):
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        samples = [sample(f"{i}", i, i % 2) for i in range(count)]
        write(tmp_path / "set" / split / "0.tar", *samples)
    name = "wds:set"
    assert splits(name, tmp_path) == ("train", "val", "test")
    assert load(name, "test", data_dir=tmp_path).labels.tolist() == [0, 1, 0]
    assert splits(f"wds:{tmp_path}/set/test") == ("train",)
    assert splits(f"wds:{tmp_path}/set/{{train,val}}/0.tar") == ("train", "val")


def test_shards_of_unclear_splits_are_refused(tmp_path):
    for name in ("train-0", "other"):
        write(tmp_path / "set" / f"{name}.tar", sample("0", 0, 0))
    refused(
        "Names of shards must all say their split (train, val or test), or none of "
        f"them. Received: name='wds:{tmp_path}/set', shards={{'none': "
        f"'{tmp_path}/set/other.tar', 'train': '{tmp_path}/set/train-0.tar'}}",
        f"wds:{tmp_path}/set",
    )
    write(tmp_path / "two" / "train-test.tar", sample("0", 0, 0))
    refused(
        "The name of a shard must not name several splits. Received: "
        f"name='wds:{tmp_path}/two', shard='{tmp_path}/two/train-test.tar'",
        f"wds:{tmp_path}/two",
    )


def test_labels_are_words_of_the_train_split(tmp_path):
    labels = ["owl", "cat", {"label": "owl", "fine": 1}, {"label": "cat", "fine": 0}]
    samples = [sample(f"{i}", i, label) for i, label in enumerate(labels)]
    write(tmp_path / "set" / "train.tar", *samples)
    found = load(f"wds:{tmp_path}/set")
    assert (found.class_names, found.labels.tolist()) == (("cat", "owl"), [1, 0, 1, 0])
    write(tmp_path / "fine" / "train.tar", *samples[2:])
    assert load(f"wds:{tmp_path}/fine?label=fine").labels.tolist() == [1, 0]
    write(tmp_path / "set" / "test.tar", sample("0", 0, "cat"), sample("1", 0, "eel"))
    refused(
        "Every label must be a class, in the train split. Received: "
        f"name='wds:{tmp_path}/set', image='test.tar/1.png', labels=['eel']",
        f"wds:{tmp_path}/set",
        "test",
    )


def test_a_file_lists_the_classes(tmp_path):
    samples = [sample(f"{i}", i, label) for i, label in enumerate([2, "ant", "02"])]
    write(tmp_path / "train.tar", *samples)
    (tmp_path / "classes.txt").write_text("ant\nbee\n\ncat\n")
    found = load(f"wds:{tmp_path}")
    assert found.class_names == ("ant", "bee", "cat")
    assert found.labels.tolist() == [2, 0, 2]
    write(tmp_path / "train.tar", *samples, sample("3", 3, 3), sample("4", 3, -1))
    refused(
        "Every label must be a class, a line of classes.txt. Received: "
        f"name='wds:{tmp_path}', image='train.tar/3.png', labels=['3', '-1']",
        f"wds:{tmp_path}",
    )
    (tmp_path / "classes.txt").write_text("ant\nant\n")
    refused(
        "classes.txt must list the names of classes, each once. Received: "
        f"file='{tmp_path}/classes.txt', names=2",
        f"wds:{tmp_path}",
    )


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([1, 2, 3], "labels=['1', '2', '3'], missing=[0]"),
        ([0, -1, 1], "labels=['-1', '0', '1'], missing=[2]"),
        ([0, "cat"], "labels=['0', 'cat'], missing=[1]"),
        ([0, 2**40], "labels=['0', '1099511627776'], missing=[1]"),
    ],
)
def test_numbers_that_are_no_classes_are_refused(labels, text, tmp_path):
    samples = [sample(f"{i}", i, label) for i, label in enumerate(labels)]
    write(tmp_path / "train.tar", *samples)
    refused(
        f"Labels must be 0 to {len(labels) - 1}, each with an image in the train "
        "split, or a file classes.txt must list the classes. Received: "
        f"name='wds:{tmp_path}', {text}",
        f"wds:{tmp_path}",
    )


def test_damaged_images_are_refused_or_left_out(folder):
    shard = folder / "imagenet-train-001.tar"
    cut = ("00101.png", encoded(noise(30, 30, 3))[:1500]), ("00101.cls", b"1")
    words = ("a/b.jpg", b"no image"), ("a/b.cls", b"2")
    write(shard, cut, *(sample(f"{i:05d}", i, i % 3) for i in range(6, 9)), words)
    name = f"wds:{folder}"
    found = load(name, image_size=8)
    text = r"file='imagenet-train-001\.tar/a/b\.jpg', error='this is no image'$"
    with pytest.raises(ValueError, match=text):
        found.images[10]
    refused(
        "2 of 17 files of the train split are damaged",
        name,
        on_error="refuse",
        image_size=8,
    )
    with pytest.warns(UserWarning, match=r"first one wds:.*-001\.tar/00101\.png \("):
        kept = load(name, image_size=8, on_error="skip")
    names = ["imagenet-train-001.tar/00101.png", "imagenet-train-001.tar/a/b.jpg"]
    assert list(kept.images.skipped) == names
    assert kept.images.shards.tolist() == [0, 6, 9]
    np.testing.assert_array_equal(kept.images[6], noise(8, 8, 3, seed=6))
    again = load(name, image_size=8, leave_out=[*names, "x.tar/0.png"])
    np.testing.assert_array_equal(again.images[:], kept.images[:])
    np.testing.assert_array_equal(again.labels, kept.labels)


def test_shards_of_one_name_are_told_apart(tmp_path):
    for part in "ab":
        write(tmp_path / part / "0.tar", sample("0", 0, 0), sample("1", 1, 1))
    name = f"wds:{tmp_path}/{{a,b}}/0.tar"
    found = load(name)
    assert [found.images.item(i) for i in (0, 3)] == ["a/0.tar/0.png", "b/0.tar/1.png"]
    assert load(name, leave_out=["b/0.tar/0.png"]).labels.tolist() == [0, 1, 1]


def test_a_shard_that_shrank_is_refused_when_read(folder):
    found = load(f"wds:{folder}")
    path = folder / "imagenet-train-002.tar"
    path.write_bytes(path.read_bytes()[:5000])
    text = "error='its shard is shorter than it was'"
    with pytest.raises(ValueError, match=text):
        found.images[17]


def test_images_of_too_many_pixels_are_refused_as_in_folders(tmp_path, monkeypatch):
    write(tmp_path / "set" / "train.tar", sample("0", 0, 0), sample("1", 1, 0))
    save_image(tmp_path / "photos" / "0" / "0.png", noise(8, 8, 3))
    found = load(f"wds:{tmp_path}/set").images, load(tmp_path / "photos").images
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 31)
    for images in found:
        with pytest.raises(
            ValueError, match=r"must be intact.*exceeds limit of 62 pix"
        ):
            images[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "wds:",
            "`name` must be wds:PLACE, or wds:PLACE?image=...&label=... with some",
        ),
        ("wds:/x?size=3", "Received: name='wds:/x?size=3'"),
        (
            "wds:/nowhere",
            "must be wds: followed by an existing folder of .tar files, or by",
        ),
        (
            "wds:/x/{0..1}.tar.gz",
            "such as wds:PATH/train-{000..099}.tar. Received: name=",
        ),
        ("wds:/x/{0..1.tar", "such as wds:PATH/train-{000..099}.tar. Received: name="),
        (
            "wds:/x/{5..1}.tar",
            "must have at least one shard and at most a million. Received: n",
        ),
        ("wds:/x/{0..999}{0..999}{0..9}.tar", "such as wds:PATH/train-{000..099}.tar."),
    ],
)
def test_names_that_are_no_shards_are_refused(name, text):
    refused(text, name)


def test_a_folder_without_shards_is_refused(tmp_path):
    text = "`name` must be wds: followed by a folder of .tar files."
    refused(text, f"wds:{tmp_path}")
