"""Damaged folders of runs end in one sentence, run nothing, and lose nothing."""

import functools
import hashlib
import io
import json
import re
import shutil
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from hypothesis import strategies as st

from keras_mixvit.recipes import Recipe
from keras_mixvit.training import compare, evaluate_run, resume
from keras_mixvit.training._checkpoint import Checkpoint, Checkpoints
from keras_mixvit.training._run_files import read_report
from keras_mixvit.training._run_settings import RunSettings
from tests.convert.files import RunsCode
from tests.damage import contents, damages, places, untouched
from tests.properties import holds, outcome

pytestmark = pytest.mark.one_backend

ROWS = [
    {
        "model": "mixvit ensemble",
        "parameters": 1200,
        "accuracy": 0.5,
        "nll": 1.25,
        "seconds": 3.5,
    }
]


@functools.cache
def files() -> dict[str, bytes]:
    """The files of a finished run, as text, without its models."""
    facts = {
        "versions": {"python": "3.11.7"},
        "backend": "jax",
        "device": "1 x cpu",
        "replicas": 1,
        "data": {"fingerprint": "0" * 64, "shapes": {"train": [4, 8, 8, 1]}},
    }
    settings = RunSettings(Recipe(backbone={"width": 8}), single=False, facts=facts)
    result = {"recipe": settings.recipe.to_dict(), **facts, "rows": ROWS}
    with tempfile.TemporaryDirectory() as folder:
        settings.write(Path(folder))
        found = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return {**found, "result.json": json.dumps(result).encode()}


def write(folder, content):
    for name, value in content.items():
        (Path(folder) / name).write_bytes(value)


def check_readers(folder):
    """What looks into a finished run, and must give our sentence or a value."""
    with untouched(folder):
        for reader in (
            lambda: RunSettings.read(Path(folder)).trainings(),
            lambda: compare([folder]),
            lambda: resume(folder, verbose=0, tell=lambda text: None),
        ):
            _, refusal = outcome(reader)
            if refusal is not None:
                assert " must " in refusal
                assert "Received: " in refusal


NAMES = ("recipe.toml", "run.json", "result.json")


@holds(few=60, many=4000, name=st.sampled_from(NAMES), damage=damages())
def test_damaged_text_is_read_or_refused(name, damage):
    with tempfile.TemporaryDirectory() as folder:
        content = dict(files())
        content[name] = damage(content[name])
        write(folder, content)
        check_readers(folder)


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 2),
        st.floats(),
        st.text(max_size=4),
        st.sampled_from([10**400, "a" * 300, "../..", "\x00"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
    ),
    max_leaves=4,
)


@holds(
    few=120,
    many=6000,
    name=st.sampled_from(NAMES),
    share=st.floats(0, 1, exclude_max=True),
    value=st.one_of(JSON, st.just("missing")),
)
def test_any_value_in_any_place_is_read_or_refused(name, share, value):
    content = dict(files())
    is_toml = name.endswith(".toml")
    parsed = (tomllib if is_toml else json).loads(content[name].decode())
    found = list(places(parsed))
    place = found[int(share * len(found))]
    if place:
        *above, last = place
        target = parsed
        for key in above:
            target = target[key]
        if value == "missing":
            del target[last]
        else:
            target[last] = value
    else:
        parsed = value
    try:
        text = (tomli_w if is_toml else json).dumps(parsed)
    except (TypeError, AttributeError):
        # TOML has no None, and a file is a table.
        return
    content[name] = text.encode("utf-8", "surrogatepass")
    with tempfile.TemporaryDirectory() as folder:
        write(folder, content)
        check_readers(folder)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "bytes"])
def test_files_that_are_none_are_refused(name, kind, tmp_path):
    write(tmp_path, files())
    (tmp_path / name).unlink()
    if kind == "folder":
        (tmp_path / name).mkdir()
    elif kind != "missing":
        (tmp_path / name).write_bytes(b"" if kind == "empty" else b"\xff\xfe\x00")
    check_readers(tmp_path)


REPORT = {
    "rows": ROWS,
    "best": {"epoch": 0, "val_accuracy": 0.5, "selected_on": "val"},
    "seconds": 3.5,
    "seed": 0,
}


def read_or_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        path.write_bytes(content)
        with untouched(folder):
            found, refusal = outcome(read_report, path)
    if refusal is None:
        assert set(REPORT) - {"best"} <= set(found)
        assert 0 <= len(found["rows"]) < 99
    else:
        assert "`run` must be the folder of a run, " in refusal
        assert "report.json" in refusal
        assert "Received: " in refusal


@holds(few=60, many=4000, damage=damages())
def test_a_damaged_report_is_read_or_refused(damage):
    read_or_refused(damage(json.dumps(REPORT).encode()))


@holds(few=60, many=4000, name=st.sampled_from(sorted(REPORT)), value=JSON)
def test_any_value_of_a_report_is_read_or_refused(name, value):
    read_or_refused(json.dumps({**REPORT, name: value}).encode())


def test_a_report_is_read_as_it_was_written(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    assert read_report(tmp_path / "report.json") == REPORT


def test_a_run_with_a_damaged_report_keeps_its_checkpoints(command_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(command_run.folder, run)
    (run / "result.json").unlink()
    checkpoint = run / "checkpoints" / "epoch-00001.npz"
    checkpoint.parent.mkdir(exist_ok=True)
    checkpoint.write_bytes(b"of use where the report is lost")
    (run / "report.json").write_text("[]")
    message = "`run` must be the folder of a run, whose report.json holds a dict."
    with pytest.raises(ValueError, match=f"^{re.escape(message)} Received: "):
        resume(str(run), verbose=0, tell=lambda text: None)
    assert checkpoint.exists()


def saved(folder, count=2):
    checkpoints = Checkpoints(Path(folder) / "checkpoints")
    for epochs in range(1, count + 1):
        arrays = {"v0": np.full(30, epochs, "float32")}
        checkpoints.save(Checkpoint(epochs, arrays, {"seconds": 1.5}))
    return checkpoints


@holds(few=40, many=3000, damage=damages(), last=st.booleans())
def test_a_damaged_checkpoint_is_never_used(damage, last):
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = saved(folder)
        path = sorted(checkpoints.folder.iterdir())[-1 if last else 0]
        whole = path.read_bytes()
        path.write_bytes(damage(whole))
        is_same = path.read_bytes() == whole
        with untouched(folder):
            found, remarks = checkpoints.latest()
    assert found.epochs == (2 if is_same or not last else 1)
    assert len(remarks) == (0 if is_same or not last else 1)
    np.testing.assert_array_equal(found.arrays["v0"], np.full(30, found.epochs))


# Checksums are right here: somebody wrote the file so.
HOSTILE = {
    "text": b"no archive",
    "empty": b"",
    "code": None,
    "no progress": {"v0": np.zeros(3)},
    "progress of numbers": {"v0": np.zeros(3), "progress": np.zeros(3)},
    "progress of text": {"progress": np.frombuffer(b"{nothing", "uint8")},
    "progress of a list": {"progress": np.frombuffer(b"[1]", "uint8")},
    "progress of bytes": {"progress": np.frombuffer(b"\xff\xfe", "uint8")},
    "history of numbers": {"progress": np.frombuffer(b'{"history": 3}', "uint8")},
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_a_checkpoint_that_was_written_wrong_is_left_out(kind, tmp_path):
    checkpoints, trace = saved(tmp_path), tmp_path / "trace"
    content = HOSTILE[kind]
    if not isinstance(content, bytes):
        file = io.BytesIO()
        if content is None:
            content = {"v0": np.array([RunsCode(trace)], dtype=object)}
            content["progress"] = np.frombuffer(b"{}", "uint8")
        np.savez(file, **content)
        content = file.getvalue()
    sum_of = hashlib.sha256(content).hexdigest()[:16]
    (checkpoints.folder / f"epoch-00009-{sum_of}.npz").write_bytes(content)
    with untouched(tmp_path):
        found, remarks = checkpoints.latest()
    assert found.epochs == 2
    assert len(remarks) == 1
    assert "is damaged and is skipped for the previous one" in remarks[0]
    assert not trace.exists()


def test_folders_among_checkpoints_are_left_alone(tmp_path):
    checkpoints = saved(tmp_path)
    (checkpoints.folder / f"epoch-00009-{'0' * 16}.npz").mkdir()
    (checkpoints.folder / "notes.txt").write_text("mine")
    with untouched(tmp_path):
        assert checkpoints.latest()[0].epochs == 2


def test_what_somebody_put_among_checkpoints_is_not_removed(tmp_path):
    checkpoints = saved(tmp_path)
    (checkpoints.folder / "notes.txt").write_text("mine")
    (checkpoints.folder / "partial-epoch.npz").write_bytes(b"half")
    checkpoints.remove()
    assert list(contents(checkpoints.folder)) == ["notes.txt"]


SETTINGS = ["", "3", "[data]", "data = 3", "data = []", "[[data]]", "[data]\nname = 3"]
SETTINGS += [f"[data]\nimage_size = {value}" for value in ("'8'", -1, "[8]", 1.5)]


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_of_an_evaluation_are_used_or_refused(settings, tmp_path):
    source = Path(__file__).parents[1] / "saved" / "torch.keras"
    shutil.copy(source, tmp_path / "model.keras")
    (tmp_path / "recipe.toml").write_text(settings)
    before = contents(tmp_path)
    _, refusal = outcome(evaluate_run, str(tmp_path))
    assert refusal is not None
    assert " must " in refusal
    assert "Received: " in refusal
    assert contents(tmp_path) == before
