"""Figures of a run, if matplotlib is installed."""

import importlib.util
from pathlib import Path
from typing import Any

from keras_mixvit.analysis import mixed_samples, training_curves
from keras_mixvit.data import ImageSet
from keras_mixvit.models import MixViT, load_model
from keras_mixvit.recipes._dataset import dataset_for
from keras_mixvit.recipes._recipe import Recipe

# The file of the mixed samples, in the folder of a run.
MIXED = "mixed_samples.png"


def has_matplotlib() -> bool:
    """Whether matplotlib is installed, which is the extra `figures`."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_figures(
    folder: Path, recipe: Recipe, trainings: dict[str, Recipe], images: ImageSet
) -> None:
    """Draws the curves of a run's trainings, and some mixed samples.

    Args:
        folder: Path of the run folder.
        recipe: `Recipe` of the run.
        trainings: Dict from the folders of its trainings to their recipes.
        images: `ImageSet` of the training images.
    """
    if not has_matplotlib():
        return
    histories = {}
    for name, each in trainings.items():
        label = each.method.name if name == "." else name
        histories[label] = folder / name / "history.csv"
    figure, _ = training_curves(histories)
    figure.savefig(folder / "curves.png")
    figure = mixed_figure(recipe, images, folder)
    if figure is not None:
        figure.savefig(folder / MIXED)


def mixed_figure(recipe: Recipe, images: ImageSet, folder: Path) -> Any:
    """Some mixed samples of a training, or `None` where nothing is mixed.

    Args:
        recipe: `Recipe` of the run.
        images: `ImageSet` of the training images.
        folder: Path of the run, whose network is trained.
    """
    first = next(iter(recipe.members()))
    # The trained network needs no preset any more.
    place = "member-0" if recipe.num_members > 1 else "."
    model = load_model(folder / place / "model.keras")
    if model.num_subnetworks == 1:
        return None
    # With augmentation on the device, only the step augments images.
    served = first.with_settings(
        {"pairs.apply_on": "pipeline", "pairs.keep_on_device": None}
    )
    dataset = dataset_for(served, model, images)
    mixing = model.mixing if isinstance(model, MixViT) else None
    return mixed_samples(dataset, mixing, images.class_names)[0]
