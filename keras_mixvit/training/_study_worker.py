"""What a study asks of a process of its own, so that it imports no backend itself.

A process that has imported a backend may hold the memory of the accelerator, which
the trainings need.
"""

import json
import sys
from pathlib import Path
from typing import Any

TASKS = ("plan", "judge", "draw")


def work(task: str, request: dict[str, Any]) -> Any:
    """Does a task.

    Args:
        task: `"plan"`, `"judge"` or `"draw"`.
        request: Dict, the arguments.

    Returns:
        What JSON can hold.
    """
    if task == "plan":
        from keras_mixvit.training._study_plan import plan

        return plan(**request)
    if task == "judge":
        from keras_mixvit.training._study_judge import judge

        return judge(**request)
    from keras_mixvit.training._study_figure import draw

    return draw(**request)


def command(task: str, request: Path, answer: Path) -> list[str]:
    """The command of a process that does a task.

    Args:
        task: `"plan"`, `"judge"` or `"draw"`.
        request: Path of a JSON file, the arguments.
        answer: Path of the JSON file that is written: what the task returns.
    """
    code = "from keras_mixvit.training._study_worker import main; main()"
    return [sys.executable, "-c", code, task, str(request), str(answer)]


def main() -> None:
    """Does the task that the words of the process name."""
    from keras_mixvit.training._atomic_files import write_json

    task, request, answer = sys.argv[1:]
    try:
        found = work(task, json.loads(Path(request).read_text(encoding="utf-8")))
        write_json(Path(answer), found)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
