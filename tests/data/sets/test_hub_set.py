"""Sets of Hugging Face, as .parquet files that the tests write."""

import re
import sys

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from keras_mixvit.data import load
from keras_mixvit.data.sets._load import splits
from tests.data.files import noise
from tests.data.shards import encoded, table_of, write_tables

pytestmark = [pytest.mark.one_backend, pytest.mark.usefixtures("caches")]
LABELS = [0, 1, 2, 0, 1, 2]


def refused(text, name, split="train", **options):
    with pytest.raises(ValueError, match=re.escape(text)):
        load(name, split, **options)


def test_rows_become_images_with_labels(tmp_path):
    folder = write_tables(
        tmp_path / "set", train=table_of(LABELS), validation=table_of([2, 0], first=6)
    )
    name = f"hf:{folder}"
    assert splits(name) == ("train", "val")
    train, val = load(name), load(name, "val")
    assert train.images.shape == (6, 8, 8, 3)
    assert (train.class_names, train.labels.tolist()) == (("ant", "bee", "cat"), LABELS)
    np.testing.assert_array_equal(train.images[[4, 0]][0], noise(8, 8, 3, seed=4))
    np.testing.assert_array_equal(val.images[1], noise(8, 8, 3, seed=7))
    assert val.labels.tolist() == [2, 0]
    assert load(name, image_size=4).images.shape == (6, 4, 4, 3)
    refused("`split` must be one of 'train', 'val'.", name, "test")


@pytest.mark.parametrize("form", ["file", "saved set", "saved table"])
def test_a_table_alone_is_a_train_split(form, tmp_path, monkeypatch):
    table, path = table_of(LABELS), tmp_path / "x.parquet"
    if form == "file":
        table.to_parquet(str(path))
    else:
        path = tmp_path / "saved"
        is_set = form == "saved set"
        table = datasets.DatasetDict({"train": table}) if is_set else table
        table.save_to_disk(str(path))
    found = load(f"hf:./{path.name}", data_dir=tmp_path)
    assert found.labels.tolist() == LABELS
    monkeypatch.chdir(tmp_path)
    assert splits(f"hf:./{path.name}") == ("train",)
    assert load(f"hf:./{path.name}", "val", val_share=0.5).images.shape[0] == 3


def test_images_stay_on_the_disk(tmp_path):
    table = table_of([0, 1] * 10).remove_columns("image")
    contents = [{"bytes": encoded(noise(64, 64, 3)), "path": None}] * 20
    table = table.add_column("image", contents, feature=datasets.Image())
    name = f"hf:{write_tables(tmp_path / 'set', train=table)}"
    load(name)
    before = pyarrow.total_allocated_bytes()
    found = load(name)
    assert found.images[:].shape == (20, 64, 64, 3)
    # They take 240 kB in the file.
    assert pyarrow.total_allocated_bytes() - before < 50_000


@pytest.mark.parametrize("kind", ["integers", "words"])
def test_plain_columns_with_few_values_are_labels(kind, tmp_path):
    labels = [7, 3, 7, 3] if kind == "integers" else ["owl", "cat", "owl", "cat"]
    others = {"id": (datasets.Value("int64"), [10, 11, 12, 13])}
    table = table_of(labels, None, **others)
    test = table_of(labels[1:], None, id=(datasets.Value("int64"), [0, 1, 2]))
    name = f"hf:{write_tables(tmp_path / 'set', train=table, test=test)}"
    found = load(name)
    expected = ("3", "7") if kind == "integers" else ("cat", "owl")
    assert (found.class_names, found.labels.tolist()) == (expected, [1, 0, 1, 0])
    assert load(name, "test").labels.tolist() == [0, 1, 0]


def test_columns_and_splits_are_named(tmp_path):
    fine = datasets.ClassLabel(names=list("abcdef"))
    pictures = [{"bytes": encoded(i + 50), "path": None} for i in range(6)]
    others = {"fine": (fine, [5, 4, 3, 2, 1, 0]), "img": (datasets.Image(), pictures)}
    name = f"hf:{write_tables(tmp_path / 'set', train=table_of(LABELS, **others))}"
    refused(
        "`name` must say which column holds the labels, as hf:PLACE?label=COLUMN. "
        f"Received: name={name!r}, candidates=['label', 'fine']",
        name,
    )
    refused(
        "`name` must say which column holds the images, as hf:PLACE?image=COLUMN. "
        f"Received: name='{name}?label=fine', candidates=['image', 'img']",
        f"{name}?label=fine",
    )
    found = load(f"{name}?label=fine&image=img")
    assert (found.num_classes, found.labels.tolist()) == (6, [5, 4, 3, 2, 1, 0])
    np.testing.assert_array_equal(found.images[0], noise(8, 8, 3, seed=50))
    val = load(f"{name}?label=fine&image=img&val=train", "val")
    assert len(val.labels) == 6
    refused(
        "`image` of `name` must be a column of images, one of 'image', 'img'. "
        f"Received: name='{name}?image=fine&label=fine', columns=['fine', 'image', "
        "'img', 'label']",
        f"{name}?image=fine&label=fine",
    )
    refused(
        "`label` of `name` must be a column of labels, one of 'label', 'fine'.",
        f"{name}?label=img",
    )
    refused(
        f"`val` of `name` must be one of the splits 'train'. Received: name='{name}"
        "?val=dev'",
        f"{name}?val=dev",
    )


def test_tables_without_features_of_images_have_their_contents(tmp_path):
    contents = [encoded(i) for i in range(4)]
    table = pyarrow.table({"picture": contents, "kind": ["a", "b", "a", "b"]})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    found = load(f"hf:{tmp_path / 'x.parquet'}")
    np.testing.assert_array_equal(found.images[2], noise(8, 8, 3, seed=2))
    assert found.class_names == ("a", "b")


def test_a_set_without_images_or_labels_is_refused(tmp_path):
    table = table_of(LABELS)
    bare = write_tables(tmp_path / "bare", train=table.remove_columns("image"))
    refused(
        "`name` must be a set with a column of images. Received: "
        f"name='hf:{bare}', columns=['label']",
        f"hf:{bare}",
    )
    bare = write_tables(tmp_path / "images", train=table.remove_columns("label"))
    refused(
        "`name` must be a set with a column of labels. Received: "
        f"name='hf:{bare}', columns=['image']",
        f"hf:{bare}",
    )
    many = table_of([f"n{i}" for i in range(4)], None)
    many = write_tables(tmp_path / "many", train=many)
    refused("`name` must be a set with a column of labels.", f"hf:{many}")


@pytest.mark.parametrize("missing", [-1, None])
def test_missing_labels_are_refused_and_splits_without_labels_left_out(
    missing, tmp_path
):
    train = table_of([0, missing, 2, missing])
    name = f"hf:{write_tables(tmp_path / 'a', train=train)}"
    refused(
        "Every image must have a label. Received: "
        f"name={name!r}, split='train', without=2, first='row 1'",
        name,
    )
    test = table_of([missing, missing])
    name = f"hf:{write_tables(tmp_path / 'b', train=table_of(LABELS), test=test)}"
    assert splits(name) == ("train",)
    refused("the images of 'test' have no labels. Received: split='test'", name, "test")


def test_labels_that_are_no_class_are_refused(tmp_path):
    test = table_of(["owl", "eel", "eel"], None)
    train = table_of(["owl", "cat", "owl", "cat"], None)
    name = f"hf:{write_tables(tmp_path / 'set', train=train, test=test)}"
    refused(
        "Every label must be a class of the train split. Received: "
        f"name={name!r}, split='test', others=2, first='row 1'",
        name,
        "test",
    )


def test_damaged_images_are_refused_or_left_out(tmp_path):
    table = table_of(LABELS)
    contents = [{"bytes": encoded(i), "path": None} for i in range(6)]
    contents[1]["bytes"] = encoded(noise(30, 30, 3))[:1500]
    contents[3]["bytes"] = b"no image"
    contents[4] = None
    kind = datasets.Image()
    table = table.remove_columns("image").add_column("image", contents, feature=kind)
    name = f"hf:{write_tables(tmp_path / 'set', train=table)}"
    found = load(name, image_size=8)
    with pytest.raises(ValueError, match=r"file='row 3', error='this is no image'$"):
        found.images[3]
    with pytest.raises(ValueError, match=r"'row 4', error='the row holds no image'$"):
        found.images[4]
    refused(
        '3 of 6 files of the train split are damaged. `on_error="skip"`',
        name,
        image_size=8,
        on_error="refuse",
    )
    with pytest.warns(UserWarning, match=r"are left out, the first one hf:.*/row 1 \("):
        kept = load(name, image_size=8, on_error="skip")
    assert list(kept.images.skipped) == ["row 1", "row 3", "row 4"]
    assert kept.labels.tolist() == [0, 2, 2]
    again = load(name, image_size=8, leave_out=[*kept.images.skipped, "row 99", "x"])
    np.testing.assert_array_equal(again.images[:], kept.images[:])


def test_sizes_that_differ_are_named(tmp_path):
    test = table_of([0])
    larger = [{"bytes": encoded(noise(9, 9, 3)), "path": None}]
    test = test.remove_columns("image").add_column(
        "image", larger, feature=datasets.Image()
    )
    name = f"hf:{write_tables(tmp_path / 'set', train=table_of(LABELS), test=test)}"
    refused(
        "`image_size` must be given if images differ in size. Received: "
        "train=(8, 8), test=(9, 9)",
        name,
        "test",
    )
    assert load(name, "test", image_size=8).images.varies


def test_a_path_that_holds_no_table_is_refused(tmp_path):
    refused(
        "`name` must be hf: followed by an existing folder or .parquet file. Received: "
        f"name='hf:{tmp_path}/no'",
        f"hf:{tmp_path}/no",
    )
    text = (
        "`name` must be hf: followed by a folder of intact tables, or by an intact "
        ".parquet file."
    )
    (tmp_path / "empty").mkdir()
    refused(text, f"hf:{tmp_path}/empty")
    path = tmp_path / "x.parquet"
    table_of(LABELS).to_parquet(str(path))
    path.write_bytes(path.read_bytes()[:-20])
    refused(text, f"hf:{path}")


def test_a_set_without_a_train_split_is_refused(tmp_path):
    name = f"hf:{write_tables(tmp_path / 'set', test=table_of(LABELS))}"
    refused(
        "`name` must be a set with the split 'train', or say which one is for "
        f"training, as hf:PLACE?train=SPLIT. Received: name={name!r}, splits=['test']",
        name,
    )
    assert load(f"{name}?train=test").labels.tolist() == LABELS


def test_without_a_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    asked = []

    def fail(*arguments, **options):
        asked.append((arguments, options))
        raise ConnectionError("Couldn't reach the Hub\nand much more")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    text = (
        "'hf:owner/name' could not be loaded (Couldn't reach the Hub). It must be the "
        "name of a set on the Hugging Face hub, and you need a network, unless it was "
        "downloaded before. Without one, save it elsewhere by `save_to_disk(FOLDER)` "
        "of datasets, and name the folder, as 'hf:/FOLDER'. Write 'hf:./owner/name' "
        "for the path."
    )
    with pytest.raises(OSError, match=re.escape(text)):
        load("hf:owner/name?config=small", data_dir=tmp_path)
    assert asked == [(("owner/name", "small"), {"cache_dir": str(tmp_path)})]


def test_a_set_of_the_hub_is_asked_for_by_its_name(tmp_path, monkeypatch):
    tables = datasets.DatasetDict({"train": table_of(LABELS), "dev": table_of([1])})
    monkeypatch.setattr(datasets, "load_dataset", lambda name, config, **_: tables)
    assert load("hf:owner/name", "val").labels.tolist() == [1]


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    text = r'need datasets: pip install "keras_mixvit\[hf\]"'
    with pytest.raises(ModuleNotFoundError, match=text):
        load("hf:owner/name")
