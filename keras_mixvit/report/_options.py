"""The options of a report, checked before Keras is imported."""

import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_mixvit._checks import (
    is_integer,
    require,
    require_path,
    require_positive_integer,
)
from keras_mixvit.training._found_runs import RECIPE, model_file, require_finished

# What `report.json` says of itself.
KIND = "keras-mixvit report"
# The packages of the extra, by the names of their modules.
NEEDED = {"jinja2": "jinja2", "matplotlib": "matplotlib", "PIL": "pillow"}
MOST_EXAMPLES = 100


@dataclass(frozen=True)
class Options:
    """The options that `write_report` and the command share.

    Args:
        runs: As in `write_report`.
        output: As in `write_report`.
        data: As in `write_report`. Defaults to `None`.
        ood: As in `write_report`. Defaults to `()`.
        examples: As in `write_report`. Defaults to `8`.
        bootstrap: As in `write_report`. Defaults to `1000`.
        batch_size: As in `write_report`. Defaults to `128`.

    Raises:
        ValueError: If there is no such run, or an option is out of its range.
        ModuleNotFoundError: If the extra is not installed.
    """

    runs: Any
    output: Any
    data: Any = None
    ood: Any = ()
    examples: int = 8
    bootstrap: int = 1000
    batch_size: int = 128

    def __post_init__(self):
        if self.data is not None:
            require_path("data", self.data)
        require(
            isinstance(self.ood, (list, tuple))
            and all(isinstance(name, (str, os.PathLike)) for name in self.ood),
            "`ood` must be a list of names or paths of sets.",
            ood=self.ood,
        )
        require(
            is_integer(self.examples) and 1 <= self.examples <= MOST_EXAMPLES,
            f"`examples` must be an integer from 1 to {MOST_EXAMPLES}.",
            examples=self.examples,
        )
        require_positive_integer("bootstrap", self.bootstrap, minimum=0)
        require_positive_integer("batch_size", self.batch_size)
        require_output(self.output)
        self._check_runs()
        missing = [
            package
            for module, package in NEEDED.items()
            if importlib.util.find_spec(module) is None
        ]
        if missing:
            raise ModuleNotFoundError(
                f"A report needs {', '.join(missing)}: pip install "
                "'keras_mixvit[report]'"
            )

    def _check_runs(self):
        runs = self.paths
        require(
            len(runs) > 0 and all(isinstance(run, (str, os.PathLike)) for run in runs),
            "`runs` must be the path of a run, or a list of paths.",
            runs=self.runs,
        )
        for run in runs:
            require_finished(run)
            model_file(run)
        places = {Path(run).resolve() for run in runs}
        require(
            len(places) == len(runs),
            "`runs` must not hold one run twice.",
            runs=list(map(str, runs)),
        )

    @property
    def paths(self) -> list[Any]:
        """The runs as a list."""
        return list(self.runs) if isinstance(self.runs, (list, tuple)) else [self.runs]

    @property
    def page(self) -> Path:
        """The path of the page."""
        return Path(self.output)

    @property
    def figures(self) -> Path:
        """The path of the figures, beside the page."""
        return figures_beside(self.page)

    def labels(self) -> list[str]:
        """Names of the runs: those of their folders, or their paths if these repeat."""
        names = [Path(run).resolve().name for run in self.paths]
        return [
            name if names.count(name) == 1 else str(run)
            for run, name in zip(self.paths, names, strict=True)
        ]


def figures_beside(page: str | os.PathLike) -> Path:
    """The path of the figures of a page."""
    return Path(page).with_suffix(".json")


def require_output(output: Any) -> None:
    """Requires a path to which a page and its figures can be written.

    Args:
        output: Path of the page.

    Raises:
        ValueError: If it is no `.html` file, or the figures would replace a file that
            is none of a report.
    """
    require_path("output", output)
    page = Path(output)
    require(
        page.suffix.lower() in (".html", ".htm") and not page.is_dir(),
        "`output` must be the path of an .html file.",
        output=str(output),
    )
    require(
        page.parent.is_dir(),
        "`output` must be in a folder that exists.",
        output=str(output),
    )
    figures = figures_beside(page)
    # A run has a report.json of its own, with which it resumes.
    in_run = any((page.parent / name).exists() for name in (RECIPE, "history.csv"))
    require(
        not (in_run and figures.name in own_names()) and _is_ours(figures),
        f"`output` must have another name: {figures.name} beside it would replace a "
        "file that belongs to something else.",
        output=str(output),
    )


def own_names() -> Sequence[str]:
    """Names of the JSON files that a run writes or may write."""
    return (
        *("report.json", "result.json", "run.json", "evaluation.json"),
        *("prediction.json", "skipped.json", "progress.json"),
    )


def _is_ours(path):
    """Whether a file may be replaced: it is not there, or belongs to a report."""
    if not path.exists():
        return True
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("kind") == KIND
