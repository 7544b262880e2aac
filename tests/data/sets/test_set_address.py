import os

import pytest

from keras_mixvit._published_paths import without_folder
from keras_mixvit.data.sets._load import data_label, is_data_path
from keras_mixvit.data.sets._set_address import parted, with_whole_path

pytestmark = pytest.mark.one_backend
HERE = os.getcwd()


def test_options_follow_a_question_mark():
    known = ("image", "label")
    assert parted("hf:owner/name", known) == ("owner/name", {})
    assert parted("hf:a/b?label=fine+x%20y&image=i", known) == (
        "a/b",
        {"label": "fine+x y", "image": "i"},
    )


@pytest.mark.parametrize(
    "text", ["", "?label=x", "a?", "a?label", "a?label=", "a?x=1", "a?label=1&label=2"]
)
def test_addresses_that_are_none_are_refused(text):
    if text == "a?":
        # Nothing is asked for.
        assert parted("hf:a?", ("label",)) == ("a", {})
        return
    expected = (
        r"^`name` must be hf:PLACE, or hf:PLACE\?label=\.\.\. with some of these "
        r"options\. Received: name='hf:"
    )
    with pytest.raises(ValueError, match=expected):
        parted(f"hf:{text}", ("label",))


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("hf:owner/name", "hf:owner/name"),
        ("hf:./owner/name?label=x", f"hf:{HERE}/owner/name?label=x"),
        ("hf:x.parquet", f"hf:{HERE}/x.parquet"),
        ("hf:..", f"hf:{os.path.dirname(HERE)}"),
        ("hf:/data", "hf:/data"),
        ("wds:set", f"wds:{HERE}/set"),
        ("wds:a/{0..9}.tar?image=jpg", f"wds:{HERE}/a/{{0..9}}.tar?image=jpg"),
        ("wds:~/set", f"wds:{os.path.expanduser('~')}/set"),
        ("cifar100", "cifar100"),
        ("tfds:a/b", "tfds:a/b"),
        ("./photos", "./photos"),
    ],
)
def test_only_paths_are_made_whole(name, whole):
    assert with_whole_path(name) == whole


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("hf:owner/name?label=x", "hf:owner/name"),
        ("hf:/data/flowers/", "hf:flowers"),
        ("wds:/data/flowers?image=jpg", "wds:flowers"),
        ("wds:/data/train-{0..9}.tar", "wds:train-{0..9}.tar"),
    ],
)
def test_tables_have_short_labels(name, label):
    assert data_label(name) == label
    assert not is_data_path(name)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/home/me/photos/", "photos"),
        ("/home/me/photos.npz", "photos.npz"),
        ("hf:/home/me/rows.parquet?label=fine", "hf:./rows.parquet?label=fine"),
        ("hf:/home/me/flowers", "hf:./flowers"),
        ("wds:/home/me/train-{0..9}.tar", "wds:train-{0..9}.tar"),
        ("hf:owner/name?label=fine", "hf:owner/name?label=fine"),
        ("tfds:mnist", "tfds:mnist"),
        ("photos/mine.npz", "photos/mine.npz"),
        ("digits", "digits"),
    ],
)
def test_an_absolute_path_loses_its_folder(name, shown):
    assert without_folder(name) == shown
