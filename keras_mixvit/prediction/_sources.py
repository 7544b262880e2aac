"""Where the networks of a prediction come from: runs, files and presets."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_mixvit._paths import HUB
from keras_mixvit.convert import Preset, read_preset
from keras_mixvit.models import MIMOModel, load_model
from keras_mixvit.models._presets import Presets, built_from
from keras_mixvit.prediction._words import is_preset_word
from keras_mixvit.training._found_runs import model_file
from keras_mixvit.training._run_files import read_json


@dataclass(frozen=True)
class Source:
    """One network of a prediction.

    Args:
        file: Path of the file of its weights.
        facts: Dict of what is known about its images, as `data_facts` gives it.
        preset: `Preset`, or `None` for a run. Defaults to `None`.
    """

    file: Path
    facts: dict[str, Any]
    preset: Preset | None = None

    def model(self) -> MIMOModel:
        """The network, with its weights."""
        if self.preset is None:
            return load_model(self.file)
        return built_from(Presets, self.preset)


def source_of(run: str | os.PathLike) -> Source:
    """The network of a run, of a `.keras` file or of a preset.

    Args:
        run: Path of a run or of a file, or path or `"hf://owner/name"` of a preset.

    Raises:
        ValueError: If there is no such run or preset.
        ConnectionError: If the hub cannot be reached.
        ModuleNotFoundError: If the extra `hub` is not installed.
    """
    if not is_preset_word(run):
        file = model_file(run)
        return Source(file, data_facts(file))
    name = str(run)
    if not name.startswith(HUB):
        # "photos" is a folder here, and no name on the hub.
        name = os.path.abspath(name)
    preset = read_preset(name)
    facts: dict[str, Any] = {"dtype": "uint8"}
    if preset.class_names is not None:
        facts["classes"] = list(preset.class_names)
    return Source(preset.path, facts, preset)


def data_facts(file: Path) -> dict[str, Any]:
    """What `run.json` says about the images of the run of a model.

    Args:
        file: Path of the model.

    Returns:
        Dict with `classes`, `dtype` and `validation`. Runs of older versions lack the
        first two.
    """
    for folder in (file.parent, file.parent.parent):
        if (folder / "run.json").is_file():
            facts = read_json(folder / "run.json").get("facts")
            data = facts.get("data") if isinstance(facts, dict) else None
            found = data if isinstance(data, dict) else {}
            classes = found.get("classes")
            known = classes if isinstance(classes, list) else [None]
            if not (known and all(isinstance(name, str) for name in known)):
                found = {k: v for k, v in found.items() if k != "classes"}
            return found
    return {}
