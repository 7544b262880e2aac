import re
import shutil

import numpy as np
import pytest

from keras_mixvit.report._judged_runs import judge_runs
from keras_mixvit.report._options import Options
from tests.tiny_run import write_images

pytestmark = pytest.mark.one_backend


def refused(text, runs, tmp_path, **options):
    """Refused before anything is predicted."""
    given = Options(runs, tmp_path / "page.html", **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_mixvit.report._judged_runs.judged", None)
        with pytest.raises(ValueError, match=re.escape(text)):
            judge_runs(given, 0)


def on_other_images(finished, folder, file):
    """A copy of a run as if it was trained on other images."""
    run = shutil.copytree(finished, folder)
    path = run / "recipe.toml"
    text = re.sub(r'name = ".*\.npz"', f'name = "{file}"', path.read_text())
    path.write_text(text)
    return run


def test_runs_must_be_judged_on_the_same_images(finished, tmp_path):
    other = write_images(tmp_path / "other.npz", test=11)
    run = on_other_images(finished, tmp_path / "run", other)
    text = (
        "`runs` must be judged on the same images; `data` can name other images for "
        "all runs. "
        f"Received: runs={[str(finished), str(run)]!r}, data=["
    )
    refused(text, [finished, run], tmp_path)
    # As a copy of the same images, they are the same.
    same = write_images(tmp_path / "same.npz")
    again = on_other_images(finished, tmp_path / "again", same)
    found = judge_runs(Options([finished, again], tmp_path / "p.html", bootstrap=0), 0)
    assert [run.label for run in found.runs] == ["first", "again"]
    assert found.name(found.runs[1], "mixvit") == "again: mixvit"
    # Or with one set for both.
    options = Options([finished, run], tmp_path / "p.html", other, bootstrap=0)
    found = judge_runs(options, 0)
    assert [len(run.own.judged.first.averaged) for run in found.runs] == [11, 11]


def test_images_must_fit_the_networks(finished, tmp_path):
    x = np.zeros((6, 8, 8, 3), "float32")
    write_images(tmp_path / "rgb.npz", x_test=x, y_test=np.arange(6) % 3)
    text = (
        "`data` must have images of shape (8, 8, 1) and 3 classes, as the model of the "
        "run has. Received: run="
    )
    refused(text, finished, tmp_path, data=str(tmp_path / "rgb.npz"))
    write_images(tmp_path / "more.npz", classes=np.array(["a", "b", "c", "d"]))
    refused(text, finished, tmp_path, data=str(tmp_path / "more.npz"))


def test_other_images_must_be_others(finished, command_run, tmp_path):
    text = "`ood` must not hold the data set that evaluates the model. Received: ood="
    refused(text, finished, tmp_path, ood=[command_run.data])
    refused("`name` must be", finished, tmp_path, ood=["missing.npz"])


def test_damaged_files_of_a_run_are_refused(finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "history.csv").write_text("epoch\n")
    refused("`runs` must hold an intact history.csv", run, tmp_path)
    (run / "history.csv").unlink()
    (run / "result.json").write_text("[]")
    refused("whose result.json holds a dict", run, tmp_path)


def test_networks_come_with_their_costs(finished, command_run, tmp_path):
    found = judge_runs(Options(finished, tmp_path / "page.html", bootstrap=0), 0)
    (run,) = found.runs
    assert [network.name for network in run.networks] == ["single_network", "mixvit"]
    known = {row["model"]: row for row in command_run.result["rows"]}
    names = ("single_network", "mixvit ensemble")
    for network, name in zip(run.networks, names, strict=True):
        row, mine = known[name], network.judged.report.rows[0]
        assert network.parameters == row["parameters"]
        assert network.seconds == pytest.approx(row["seconds"], abs=0.06)
        assert network.flops > 0
        assert mine["accuracy"] == pytest.approx(row["accuracy"])
        assert mine["nll"] == pytest.approx(row["nll"], rel=1e-5)
    # A baseline that is gone is left out.
    copy = shutil.copytree(finished, tmp_path / "run")
    (copy / "single" / "model.keras").unlink()
    (run,) = judge_runs(Options(copy, tmp_path / "page.html", bootstrap=0), 0).runs
    assert [network.name for network in run.networks] == ["mixvit"]
