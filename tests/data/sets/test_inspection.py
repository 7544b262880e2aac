import json
import shutil

import numpy as np
import pytest
from PIL import Image

from keras_mixvit.cli._main import main
from keras_mixvit.data import inspect
from tests.data.files import noise, save_image, truncate


@pytest.fixture
def photos(tmp_path):
    """Two classes, 4 and 1 images to train on, with much that may go wrong."""
    for i in range(3):
        save_image(tmp_path / "train" / "a cat" / f"{i}.png", noise(6, 8, 3, seed=i))
    save_image(tmp_path / "train" / "a cat" / "deep" / "x.PNG", noise(6, 8), "L")
    save_image(tmp_path / "train" / "dög" / "ä.png", noise(10, 4, 3, seed=9))
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(noise(5, 7, 3, seed=4))
    (tmp_path / "val" / "a cat").mkdir(parents=True)
    image.save(tmp_path / "val" / "a cat" / "turned.png", exif=exif.tobytes())
    shutil.copy(tmp_path / "train" / "a cat" / "0.png", tmp_path / "val" / "a cat")
    # The same pixels in another file, and once more.
    for name in ("b.tiff", "c.tiff"):
        save_image(tmp_path / "val" / "a cat" / name, noise(6, 8, 3, seed=1))
    save_image(tmp_path / "val" / "dög" / "cut.png", noise(30, 30, 3))
    truncate(tmp_path / "val" / "dög" / "cut.png")
    (tmp_path / "val" / "dög" / "words.jpg").write_text("no image")
    (tmp_path / "train" / "a cat" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "train" / "a cat" / "notes.txt").write_text("x")
    (tmp_path / "train" / "README").write_text("x")
    return tmp_path


def test_a_folder_is_counted(photos):
    found = inspect(photos)
    train, val = found.splits["train"], found.splits["val"]
    assert (train.images, train.classes) == (5, {"a cat": 4, "dög": 1})
    assert (train.height, train.width) == ((6, 6, 10), (4, 8, 8))
    assert train.colours == {"RGB": 4, "L": 1}
    assert train.ignored == {".txt": 1, "no suffix": 1}
    assert (train.turned, train.damaged, train.repeated) == (0, {}, 0)
    assert (val.images, val.turned, val.repeated) == (4, 1, 1)
    # Seen upright, 5 x 7 is 7 x 5.
    assert (val.height, val.width) == ((6, 6, 7), (5, 8, 8))
    assert list(val.damaged) == ["dög/cut.png", "dög/words.jpg"]
    assert not found.is_intact
    same = [(pair["image"], pair["other_image"], pair["same"]) for pair in found.shared]
    assert same == [
        ("a cat/0.png", "a cat/0.png", "file"),
        ("a cat/1.png", "a cat/b.tiff", "pixels"),
    ]
    assert found.remarks == [
        "The largest class has 4.0 times as many images as the smallest: --set "
        "loss.class_weight=balanced gives them equal weight.",
        "2 images are in two splits: scores on them are too good.",
        "2 files of val cannot be read: --on-error skip leaves them out.",
        "Images differ in size: training resizes them to one size; set it with --set "
        "data.image_size=64.",
    ]


def test_classes_that_are_empty_or_alike_are_remarked_on(tmp_path):
    for name in ("Ant", "ant", "bee"):
        save_image(tmp_path / name / "0.png", 3)
    (tmp_path / "wasp").mkdir()
    remarks = inspect(tmp_path).remarks
    assert remarks == [
        "Classes without an image to train on: wasp.",
        "Classes that differ in case only: ant.",
        "There is only one split: a share of it (--set data.val_share=0.1) is kept for "
        "validation, and there is no test split.",
    ]


def test_arrays_are_counted(tmp_path):
    x = noise(7, 4, 6, 3)
    arrays = {"x_train": x[:5], "y_train": [0, 1, 0, 1, 1]}
    arrays |= {"x_test": x[[5, 2]], "y_test": [0, 1]}
    np.savez(tmp_path / "mine.npz", **arrays)
    found = inspect(tmp_path / "mine.npz")
    train, test = found.splits.values()
    assert (train.images, train.height, train.width) == (5, (4, 4, 4), (6, 6, 6))
    assert list(train.classes.values()) == [2, 3]
    assert train.colours == {"uint8, 3 channel(s)": 5}
    assert found.shared == [
        {
            "split": "train",
            "image": "2",
            "other_split": "test",
            "other_image": "1",
            "same": "pixels",
        }
    ]
    assert test.images == 2
    assert found.is_intact


def test_the_command_prints_json(photos, capsys):
    assert main(["data", str(photos), "--format", "json"]) == 1
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    expected = inspect(photos).to_dict()
    assert found == json.loads(json.dumps(expected))
    assert (found["form"], found["is_intact"], printed.err) == (1, False, "")


def test_the_command_prints_tables(photos, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["data", str(photos)]) == 1
    printed = capsys.readouterr()
    for text in (
        "6 to 10, median 6",
        "RGB: 4, L: 1",
        "a cat",
        "Damaged in val: dög/words.jpg (this is no image)",
        "The same file: train/a cat/0.png and val/a cat/0.png",
        "The largest class has 4.0 times as many images",
    ):
        assert text in printed.out
    assert main(["data", "digits"]) == 0
    assert main(["data", str(photos / "nowhere")]) == 1
    assert "`name` must be one of" in capsys.readouterr().err
