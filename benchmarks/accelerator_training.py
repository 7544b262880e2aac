"""The paper's recipe on an accelerator: the last stage of `accelerator.py`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from accelerator_tools import BEGUN, say

ROOT = Path(__file__).parents[1]
# A network that a CPU compiles in seconds.
SMALL = (
    "augmentation=crop_flip",
    "backbone.patch_size=2",
    "backbone.num_blocks=1",
    "backbone.num_class_blocks=1",
)


def start_run(options, recipe, runs):
    """A process that trains or resumes a recipe, and its folder."""
    folder = runs / f"{recipe}-{options.epochs}"
    command = [sys.executable, "-m", "keras_mixvit.cli"]
    if (folder / "run.json").exists():
        command += ["resume", str(folder)]
    else:
        # It was stopped before it had saved anything to resume.
        shutil.rmtree(folder, ignore_errors=True)
        command += ["train", recipe]
        command += ["--epochs", str(options.epochs), "--precision", "bfloat16"]
        command += ["--apply-on", "device", "--no-single", "--output", str(folder)]
        if options.small:
            command += ["--width-scale", "0.125", "--data", "digits"]
            for setting in SMALL:
                command += ["--set", setting]
        else:
            command += ["--data-dir", str(Path(options.data_dir).resolve())]
    share = f"{0.9 / len(options.recipes):.2f}"
    with (runs / f"{folder.name}.log").open("a") as log:
        return folder, subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "XLA_PYTHON_CLIENT_MEM_FRACTION": share},
            cwd=ROOT,
        )


def stop(number, frame):
    raise KeyboardInterrupt


def train(options):
    """Runs of the command, side by side, stopped in time to be continued."""
    if options.data_dir is None and not options.small:
        say(skipped="no --data-dir")
        return
    runs = Path(options.runs).resolve()
    runs.mkdir(exist_ok=True, parents=True)
    signal.signal(signal.SIGTERM, stop)
    folders = [runs / f"{recipe}-{options.epochs}" for recipe in options.recipes]
    seen = {folder: len(history(folder)) for folder in folders}
    started = [start_run(options, recipe, runs) for recipe in options.recipes]
    end = BEGUN + options.seconds
    try:
        while time.time() < end and any(p.poll() is None for _, p in started):
            time.sleep(1)
            for folder, _ in started:
                tell_epoch(folder, seen)
    except KeyboardInterrupt:
        pass
    for _, process in started:
        # Ctrl-C ends a run after its step; the saved run can resume.
        process.send_signal(signal.SIGINT)
    # All together, within the time that is left after the limit of the stage.
    last = time.time() + 18
    for folder, process in started:
        killed = False
        try:
            process.wait(timeout=max(0.1, last - time.time()))
        except subprocess.TimeoutExpired:
            # It loses at most one epoch.
            killed = True
            process.kill()
            process.wait()
        tell_epoch(folder, seen)
        result = folder / "result.json"
        rows = json.loads(result.read_text())["rows"] if result.exists() else None
        facts = {"run": folder.name, "finished": rows is not None, "rows": rows}
        stopped = killed or process.returncode in (0, 130, -signal.SIGINT)
        if rows is None and not stopped:
            log = (runs / f"{folder.name}.log").read_text()
            facts["error"] = f"exit status {process.returncode}: {log[-400:]}"
        say(**facts)


def history(folder):
    """Lines of the epochs of a run so far, names first."""
    path = next(folder.rglob("history.csv"), None)
    return path.read_text().splitlines() if path else []


def tell_epoch(folder, seen):
    """Says the last epoch of a run, if it is a new one."""
    lines = history(folder)
    if len(lines) > max(1, seen[folder]):
        seen[folder] = len(lines)
        names, values = (line.split(",") for line in (lines[0], lines[-1]))
        row = {n: number(v) for n, v in zip(names, values, strict=False)}
        say(run=folder.name, at_s=round(time.time() - BEGUN), **row)


def number(text):
    """A number, or the text where JSON has no such number: nan, nothing."""
    try:
        return json.loads(text)
    except ValueError:
        return text
