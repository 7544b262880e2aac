import json

import numpy as np
import pytest

from keras_mixvit.cli._main import main
from keras_mixvit.training import evaluate_run, resume
from keras_mixvit.training._skipped_files import read_skipped
from tests.data.files import save_image, truncate
from tests.tiny_run import make_eager, train_words

pytestmark = pytest.mark.one_backend


@pytest.fixture
def photos(tmp_path):
    """Images of two classes, some damaged in every split."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4), ("test", 4)):
        for label in ("ant", "bee"):
            for i in range(count):
                pixels = rng.integers(256, size=(8, 8, 3), dtype="uint8")
                save_image(tmp_path / "photos" / split / label / f"{i}.png", pixels)
        truncate(tmp_path / "photos" / split / "bee" / "1.png")
    return tmp_path / "photos"


def test_damaged_files_end_a_run_before_it_begins(photos, tmp_path, capsys):
    words = train_words(photos, tmp_path / "run", "--on-error=refuse", "--no-single")
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "1 of 16 files of the train split are damaged" in error
    assert "bee/1.png" in error
    assert not (tmp_path / "run").exists()


def test_without_the_option_the_error_names_it(photos, tmp_path, capsys, monkeypatch):
    make_eager(monkeypatch)
    words = train_words(photos, tmp_path / "run", "--no-single")
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "--on-error skip, leaves others out" in error
    assert "bee/1.png" in error


def test_a_run_skips_the_same_files_when_it_goes_on(
    photos, tmp_path, capsys, monkeypatch
):
    make_eager(monkeypatch)
    words = train_words(photos, tmp_path / "run", "--on-error=skip", "--no-single")
    assert main(words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Damaged files of the train split that it skips: 1." in printed
    stored = json.loads((tmp_path / "run" / "skipped.json").read_text())
    names = {split: list(files) for split, files in stored.items()}
    assert names == {split: ["bee/1.png"] for split in ("train", "val", "test")}
    assert read_skipped(tmp_path / "run" / "single") == names
    found = evaluate_run(str(tmp_path / "run"), verbose=0)
    assert found.report.samples == 7
    # A resumed run skips the same files and does not check them again.
    (tmp_path / "run" / "result.json").unlink()
    (tmp_path / "run" / "report.json").unlink()
    resume(str(tmp_path / "run"), verbose=0)
    (tmp_path / "run" / "result.json").unlink()
    (tmp_path / "run" / "skipped.json").write_text("[")
    with pytest.raises(ValueError, match=r"`run` must be .* an intact skipped\.json"):
        resume(str(tmp_path / "run"), verbose=0)


@pytest.mark.parametrize(
    "content", [[], 3, {"train": "bee/1.png"}, {"train": None}, {"train": [3]}]
)
def test_a_list_of_skipped_files_that_is_none_is_refused(content, tmp_path):
    (tmp_path / "skipped.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"`run` must be .* skipped\.json holds "):
        read_skipped(tmp_path)
