"""Folders as runs leave them, for evaluations."""

import numpy as np

from keras_mixvit.recipes import Recipe
from keras_mixvit.training._run_settings import RunSettings
from tests.helpers import images
from tests.tiny_run import write_images

VALIDATION = {"x_val": images(30, (8, 8, 1), 1), "y_val": np.arange(30) % 3}


def start(folder, has_settings=True, **changes):
    """A folder as a run leaves it, with a file in place of its model."""
    folder.mkdir(parents=True)
    data = write_images(folder / "three.npz", test=25, **{**VALIDATION, **changes})
    (folder / "model.keras").touch()
    if has_settings:
        write_settings(folder, data)
    return data


def write_settings(folder, data, data_dir=None, facts=None, **options):
    """What a run says of its images."""
    recipe = Recipe(data={"name": data, **options})
    RunSettings(recipe, data_dir, facts=facts).write(folder)


def relabel(model, data):
    """Gives images the class that a model predicts, every third one another.

    Returns:
        The arrays of the file.
    """
    with np.load(data, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file}
    for split in ("val", "test"):
        labels = model.predict(arrays[f"x_{split}"], verbose=0).argmax(axis=1)
        labels[::3] += 1
        arrays[f"y_{split}"] = labels % 3
    np.savez(data, **arrays)
    return arrays


def paper_run(linear, tmp_path, **recipe):
    """A run of a set without a validation split; its arrays."""
    data = start(tmp_path / "run")
    arrays = relabel(linear, data)
    del arrays["x_val"], arrays["y_val"]
    np.savez(data, **arrays)
    write_settings(tmp_path / "run", data, **recipe)
    return arrays
