import shutil

import pytest

from keras_mixvit.cli._main import main
from keras_mixvit.recipes import recipe
from keras_mixvit.training import compare
from keras_mixvit.training._run_settings import RunSettings

pytestmark = pytest.mark.one_backend


@pytest.fixture
def two(command_run, tmp_path):
    """Two runs, one of which says that it is a scaled published one."""
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        shutil.copytree(command_run.folder, folder)
    settings = RunSettings.read(folders[1])
    published = recipe("mixvit-convit").scaled(0.1)
    RunSettings(published, facts=settings.facts).write(folders[1])
    return [str(folder) for folder in folders]


def test_runs_are_compared_with_the_published_figures(two, command_run):
    rows = compare(two)
    assert [(row["run"], row["model"]) for row in rows] == [
        (run, model)
        for run in ("first", "second")
        for model in ("single_network", "mixvit ensemble")
    ]
    for row, given in zip(rows[:2], command_run.result["rows"], strict=False):
        for name in ("accuracy", "nll", "parameters", "seconds"):
            assert row[name] == given[name]
    assert [row["published"][:20] for row in rows] == [
        "",
        "",
        "",
        "MixViT Table 2c: con",
    ]
    assert rows[3]["differs"] == "epoch_scale=0.1"
    assert [row["scaled"] for row in rows[1::2]] == ["", "scaled: epochs x 0.1"]


def test_the_command_prints_a_table_and_draws_the_curves(
    two, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("COLUMNS", "130")
    output = tmp_path / "figures" / "curves.png"
    assert main(["compare", *two, f"--output={output}"]) == 0
    out = capsys.readouterr().out
    assert output.read_bytes().startswith(b"\x89PNG")
    lines = out.splitlines()
    for row in compare(two):
        assert any(
            row["run"] in line and row["model"] in line and f"{row['nll']:.4f}" in line
            for line in lines
        )
    assert "second: published MixViT Table 2c: " in out
    assert "second: another training, epoch_scale=0.1" in out
    assert "first: protocol 'validation'" in lines
    assert "second: protocol 'paper'" in lines
    assert lines[-1] == f"Curves: {output}"


def test_a_run_that_is_not_finished_is_refused(two, tmp_path, capsys):
    (tmp_path / "second" / "result.json").unlink()
    assert main(["compare", *two]) == 1
    assert capsys.readouterr().err == (
        "keras-mixvit: `runs` must be finished; `keras-mixvit resume RUN` finishes "
        f"one. Received: run={two[1]!r}\n"
    )
