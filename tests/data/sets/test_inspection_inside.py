"""What `inspect` says about images inside larger files."""

import datasets
import pytest

from keras_mixvit.cli._main import main
from keras_mixvit.data import inspect
from tests.data.files import noise
from tests.data.shards import encoded, sample, table_of, tar_of, write_tables

pytestmark = [pytest.mark.one_backend, pytest.mark.usefixtures("caches")]
CUT = encoded(noise(30, 30, 3))[:1500]
CONTENTS = [encoded(0), encoded(noise(6, 9, 3)), b"no image", encoded(0), CUT]


def shards(folder):
    folder.mkdir()
    members = []
    for i, content in enumerate(CONTENTS):
        members += [(f"{i}.png", content), (f"{i}.cls", b"%d" % (i % 2))]
    (folder / "train-0.tar").write_bytes(tar_of(*members))
    (folder / "test-0.tar").write_bytes(tar_of(*sample("7", 0, 1)))
    names = [f"train-0.tar/{i}.png" for i in range(len(CONTENTS))]
    return f"wds:{folder}", names, "test-0.tar/7.png"


def tables(folder):
    table = table_of([i % 2 for i in range(len(CONTENTS))], ("0", "1"))
    contents = [{"bytes": content, "path": None} for content in CONTENTS]
    table = table.remove_columns("image")
    table = table.add_column("image", contents, feature=datasets.Image())
    write_tables(folder, train=table, test=table_of([1], ("0", "1")))
    return f"hf:{folder}", [f"row {i}" for i in range(len(CONTENTS))], "row 0"


@pytest.mark.parametrize("write", [shards, tables])
def test_images_are_counted_whatever_their_sizes(write, tmp_path, capsys):
    name, images, other = write(tmp_path / "set")
    found = inspect(name)
    train, test = found.splits["train"], found.splits["test"]
    assert (train.images, train.classes) == (3, {"0": 1, "1": 2})
    assert (train.height, train.width) == ((6, 8, 8), (8, 8, 9))
    assert train.colours == {"RGB": 3}
    assert list(train.damaged) == [images[2], images[4]]
    assert train.damaged[images[2]] == "this is no image"
    assert (train.repeated, train.ignored, test.images) == (1, None, 1)
    assert found.shared == [
        {
            "split": "train",
            "image": images[0],
            "other_split": "test",
            "other_image": other,
            "same": "file",
        }
    ]
    assert main(["data", name]) == 1
    assert (
        f"Damaged in train: {images[2]} (this is no image)" in capsys.readouterr().out
    )
