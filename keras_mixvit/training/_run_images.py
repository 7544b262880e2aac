"""The images of a run, or others, that judge and calibrate its model."""

from pathlib import Path
from typing import Any

from keras_mixvit.data import ImageSet, load
from keras_mixvit.data.sets._load import splits
from keras_mixvit.recipes._protocol import BEST
from keras_mixvit.training._evaluation_plan import (
    evaluation_plan,
    require_same_validation,
)
from keras_mixvit.training._found_runs import FORMER, RECIPE
from keras_mixvit.training._run_settings import RunSettings
from keras_mixvit.training._skipped_files import read_skipped


class RunImages:
    """The images of a run, or others, that judge and calibrate its model.

    Args:
        file: Path of the model of a run.
        data: What `load` takes, or `None` for the set of the run. Defaults to
            `None`.
        calibrate_on: `"val"` or `"test"`, which images fit a temperature. Defaults
            to `"val"`.

    Raises:
        ValueError: If `data` is `None` and the run holds no recipe, or its images
            are gone.
    """

    def __init__(self, file: Path, data: str | None = None, calibrate_on: str = "val"):
        settings = run_settings(file) if data is None else None
        recipe = None if settings is None else settings.recipe
        self.file, self.is_own = file, data is None
        self.name = data or "" if recipe is None else recipe.data.name
        # These change the images, or say where they are.
        self.where: dict[str, Any] = {}
        self._choices: dict[str, Any] = {}
        if settings is not None and settings.data_dir is not None:
            self.where = {"data_dir": settings.data_dir}
        if recipe is not None and recipe.data.image_size is not None:
            self._choices = {"image_size": recipe.data.image_size}
        has = splits(self.name, **self.where)
        self.plan = evaluation_plan(recipe, has, calibrate_on)

    @property
    def has_validation(self) -> bool:
        """Whether the run held out images that did not train it."""
        is_judged = self.plan.judged == "val" and self.plan.protocol == "validation"
        return self.plan.fitted_on == "val" or is_judged

    @property
    def chose_the_model(self) -> bool:
        """Whether the validation images chose the model: they suit it too well."""
        return self.is_own and self.file.name == BEST

    def load(self, split: str) -> ImageSet:
        """The images of a split, without the files that the run left out.

        Args:
            split: `"train"`, `"val"` or `"test"`.

        Raises:
            ValueError: If they validate the run, and have changed since.
        """
        # A validation split that was cut is cut again.
        share = self.plan.val_share if split == "val" else None
        cut: dict[str, Any] = {"val_share": share} if share else {}
        names: Any = ()
        if self.is_own:
            names = read_skipped(self.file.parent).get("train" if cut else split, ())
        options = {**self._choices, **self.where, **cut}
        images = load(self.name, split, leave_out=names, **options)
        if split == "val" and self.is_own:
            require_same_validation(self.file, images)
        return images


def run_settings(file: Path) -> RunSettings:
    """What the run of a model was trained with.

    Args:
        file: Path of the model.

    Raises:
        ValueError: If it lies in no run.
    """
    # The single network lies in a folder of the run.
    for folder in (file.parent, file.parent.parent):
        if any((folder / name).is_file() for name in (RECIPE, *FORMER)):
            return RunSettings.read(folder)
    raise ValueError(
        f"`data` must be given if the run has no {RECIPE}. "
        f"Received: data=None, run={str(file.parent)!r}"
    )
