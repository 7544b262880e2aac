"""Runs tasks of a study in another process, so the study imports no backend itself.

A process that has imported a backend may hold the memory of the accelerator, which the
trainings need.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_mixvit._start import chosen_backend


def backend_of(tell: Callable[[str], object]) -> str:
    """The backend of all processes, found without importing it.

    Args:
        tell: Function that it calls with a sentence about the choice, if any.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend()
    backend, sentence = chosen_backend()
    if sentence is not None:
        tell(sentence)
    return backend


def work(task: str, request: dict[str, Any]) -> Any:
    """Runs a task.

    Args:
        task: `"plan"`, `"judge"` or `"draw"`.
        request: Dict, the arguments.

    Returns:
        The result, for JSON.
    """
    if task == "plan":
        from keras_mixvit.training._study_plan import plan

        return plan(**request)
    if task == "judge":
        from keras_mixvit.training._study_judge import judge

        return judge(**request)
    from keras_mixvit.analysis._study_figure import draw

    return draw(**request)


def command(task: str, request: Path, answer: Path) -> list[str]:
    """The command of a process that runs a task.

    Args:
        task: `"plan"`, `"judge"` or `"draw"`.
        request: Path of a JSON file, the arguments.
        answer: Path of the JSON file for the result.
    """
    code = "from keras_mixvit.training._study_worker import main; main()"
    return [sys.executable, "-c", code, task, str(request), str(answer)]


def ask(task: str, request: dict[str, Any], environment: dict[str, str]) -> Any:
    """The result of a task, from another process if this one has no backend yet.

    Args:
        task: As in `work`.
        request: As in `work`.
        environment: Dict of variables of the process.

    Raises:
        ValueError: If the other process failed; the message is the last line of its
            output.
    """
    if "keras" in sys.modules:
        return work(task, request)
    with tempfile.TemporaryDirectory() as name:
        asked, answer = Path(name) / "request.json", Path(name) / "answer.json"
        asked.write_text(json.dumps(request), encoding="utf-8")
        found = subprocess.run(
            command(task, asked, answer),
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if found.returncode:
            lines = found.stderr.strip().splitlines()
            raise ValueError(lines[-1] if lines else f"status {found.returncode}")
        return json.loads(answer.read_text(encoding="utf-8"))


def main() -> None:
    """Runs the task in the arguments of the process."""
    from keras_mixvit.training._atomic_files import write_json

    task, request, answer = sys.argv[1:]
    try:
        found = work(task, json.loads(Path(request).read_text(encoding="utf-8")))
        write_json(Path(answer), found)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
