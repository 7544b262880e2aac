"""`benchmarks/accelerator.py`: its limits and results, and its stages on a CPU."""

import importlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest

pytestmark = pytest.mark.one_backend

FOLDER = Path(__file__).parents[1] / "benchmarks"
BACKEND = keras.config.backend()
# A stage in the place of all: it measures twice and does as it is told between.
STAGE = """
import json, sys, time
options = json.loads(sys.argv[2])
for step in (1, 2):
    facts = {"network": f"net {step}"}
    if not any(facts.items() <= line.items() for line in options["known"]):
        print("!" + json.dumps(facts), flush=True)
        print("@" + json.dumps({**facts, "step_ms": step, "tflops": 1.0}), flush=True)
    MIDST
"""
CALL = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import accelerator
accelerator.STAGES_SCRIPT = sys.argv.pop(1)
accelerator.GRACE = 0.5
accelerator.main()
"""


def called(tmp_path, midst, *words):
    """A process of the benchmark whose stages are all `STAGE`."""
    script = tmp_path / "stage.py"
    script.write_text(STAGE.replace("MIDST", midst))
    out = ["--out", str(tmp_path / "out.json")]
    return subprocess.Popen(
        [sys.executable, "-c", CALL, str(FOLDER), str(script), *out, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results(tmp_path, process):
    """The lines of a finished call."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return json.loads((tmp_path / "out.json").read_text())


def test_a_later_call_measures_what_is_missing(tmp_path):
    words = ["--stages", "convit", "wrn"]
    broken = "if step == 1: raise ValueError('no such network')"
    lines = results(tmp_path, called(tmp_path, broken, *words))
    assert [line.get("network") for line in lines] == ["net 1", None] * 2
    assert "no such network" in lines[1]["error"]

    lines = results(tmp_path, called(tmp_path, "pass", *words))
    for stage in ("convit", "wrn"):
        of_stage = [line for line in lines if line["stage"] == stage]
        assert [line.get("step_ms") for line in of_stage] == [1, 2, None]
        assert "seconds" in of_stage[-1]


def test_a_stage_is_ended_at_its_limit(tmp_path):
    words = ["--stages", "convit", "wrn", "--limit", "1"]
    begun = time.time()
    hangs = "print('!next', flush=True); time.sleep(60)"
    lines = results(tmp_path, called(tmp_path, hangs, *words))
    assert time.time() - begun < 30
    assert [line.get("step_ms") for line in lines] == [1, None] * 2
    assert "stopped after" in lines[1]["error"]
    assert lines[1]["during"] == "next"


def test_an_interrupted_call_keeps_its_results(tmp_path):
    process = called(tmp_path, "time.sleep(60)", "--stages", "convit")
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, errors
    (line,) = json.loads((tmp_path / "out.json").read_text())
    assert line["step_ms"] == 1


def test_shares_are_those_of_the_measured_peak(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    accelerator = importlib.import_module("accelerator")
    kept = accelerator.Results(tmp_path / "out.json")
    kept.keep({"stage": "ceilings", "peak_tflops": 800.0})
    kept.keep({"stage": "convit", "step_ms": 1.0, "tflops": 200.0})
    assert kept.lines[-1]["share_of_peak"] == 0.25


# They compile several networks, or convolutions.
SLOW = [
    pytest.param(stage, marks=pytest.mark.slow)
    for stage in ("convit", "subnetworks", "serving", "cait", "wrn", "golden")
]


FAST = (
    "ours" if BACKEND != "tensorflow" else pytest.param("ours", marks=pytest.mark.slow)
)


@pytest.mark.parametrize("stage", [FAST, *SLOW])
def test_stages_measure(stage, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(FOLDER))
    accelerator_stages = importlib.import_module("accelerator_stages")
    options = SimpleNamespace(small=True, seconds=600, known=[])
    monkeypatch.setattr("accelerator_tools.BEGUN", time.time())
    accelerator_stages.RUN[stage](options)
    lines = capsys.readouterr().out.splitlines()
    lines = [json.loads(line[1:]) for line in lines if line.startswith("@")]
    assert not [line for line in lines if "error" in line]
    for line in lines[1:]:
        if stage == "golden":
            assert line["holds"], line
        else:
            assert 0 < line["host_ms"] <= line["step_ms"] * 1.5
            assert line["steps_per_s"] == pytest.approx(1e3 / line["step_ms"], rel=0.01)


@pytest.mark.skipif(BACKEND != "torch", reason="They are the same everywhere.")
@pytest.mark.parametrize(
    "stage", ["ceilings", pytest.param("plain", marks=pytest.mark.slow)]
)
def test_stages_of_plain_pytorch_measure(stage, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(FOLDER))
    accelerator_stages = importlib.import_module("accelerator_stages")
    accelerator_stages.RUN[stage](SimpleNamespace(small=True, seconds=600, known=[]))
    assert '"error"' not in capsys.readouterr().out
