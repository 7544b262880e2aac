"""Runs on images inside larger files, some of them damaged."""

import json

import pytest

from keras_mixvit.cli._main import main
from keras_mixvit.training import evaluate_run, resume
from tests.data.shards import encoded, sample, table_of, tar_of, write_tables
from tests.tiny_run import make_eager, train_words

pytestmark = [pytest.mark.one_backend, pytest.mark.usefixtures("caches")]
DAMAGED = encoded(3)[:150]


def shards(folder):
    folder.mkdir()
    for split, count in (("train", 16), ("val", 8)):
        members = [sample(f"{i}", i, i % 2) for i in range(count)]
        members[3][0] = ("3.png", DAMAGED)
        content = tar_of(*(member for own in members for member in own))
        (folder / f"{split}-0.tar").write_bytes(content)
    return f"wds:{folder.name}", "-0.tar/3.png"


def tables(folder):
    import datasets

    def table(count):
        contents = [{"bytes": encoded(i), "path": None} for i in range(count)]
        contents[3]["bytes"] = DAMAGED
        found = table_of([i % 2 for i in range(count)], ("ant", "bee"))
        found = found.remove_columns("image")
        return found.add_column("image", contents, feature=datasets.Image())

    write_tables(folder, train=table(16), validation=table(8))
    return f"hf:./{folder.name}", "row 3"


@pytest.mark.parametrize("write", [shards, tables])
def test_a_run_skips_the_same_images_when_it_goes_on(
    write, tmp_path, capsys, monkeypatch
):
    make_eager(monkeypatch)
    monkeypatch.chdir(tmp_path)
    name, damaged = write(tmp_path / "set")
    words = train_words(name, tmp_path / "run", "--no-single")
    assert main([*words, "--on-error=refuse"]) == 1
    assert "1 of 16 files of the train split are damaged" in capsys.readouterr().err
    assert main([*words, "--on-error=skip", "--data-share=0.8"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Damaged files of the train split that it skips: 1." in printed
    stored = json.loads((tmp_path / "run" / "skipped.json").read_text())
    ends = {"train": damaged, "val": damaged}
    for split, files in stored.items():
        (file,) = files
        assert file.endswith(ends.pop(split))
    assert not ends
    # The name is whole, so the run resumes from any folder.
    monkeypatch.chdir("/")
    assert str(tmp_path / "set") in (tmp_path / "run" / "recipe.toml").read_text()
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    found = evaluate_run(str(tmp_path / "run"), verbose=0)
    assert found.report.samples == 7
    for file in ("result.json", "report.json"):
        (tmp_path / "run" / file).unlink()
    resume(str(tmp_path / "run"), verbose=0)
    assert json.loads((tmp_path / "run" / "result.json").read_text())["rows"]
    # Other images are another set.
    (tmp_path / "run" / "result.json").unlink()
    change(tmp_path / "set", write)
    with pytest.raises(ValueError, match="must be resumed with the same images"):
        resume(str(tmp_path / "run"), verbose=0)


def change(folder, write):
    """Gives a set other images to train on."""
    if write is shards:
        members = [sample(f"{i}", i + 50, i % 2) for i in range(16)]
        content = tar_of(*(member for own in members for member in own))
        (folder / "train-0.tar").write_bytes(content)
    else:
        labels = [i % 2 for i in range(16)]
        write_tables(folder, train=table_of(labels, ("ant", "bee"), first=50))
