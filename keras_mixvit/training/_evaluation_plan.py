"""Which images evaluate the model of a run, and which fit its temperature."""

from dataclasses import dataclass
from pathlib import Path

from keras_mixvit._checks import require
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.recipes._protocol import cut_share
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.training._run_facts import fingerprint
from keras_mixvit.training._run_files import read_json, require_entry


@dataclass(frozen=True)
class EvaluationPlan:
    """Which images evaluate a model, and which fit its temperature.

    Args:
        protocol: String, the protocol of the run, or `None` for images that are not
            those of a run.
        val_share: Float, the share of the training images that validated the
            run, or `None`.
        judged: `"test"`, `"val"` or `"train"`, the split to evaluate.
        fitted_on: `"val"`, `"halves of test"` or `"halves of val"`, or `None`.
    """

    protocol: str | None
    val_share: float | None
    judged: str
    fitted_on: str | None


def evaluation_plan(
    recipe: Recipe | None, has: tuple[str, ...], calibrate_on: str = "val"
) -> EvaluationPlan:
    """The plan for a run, or for other images.

    Args:
        recipe: `Recipe` of the run, or `None` for other images.
        has: Tuple of strings, the splits that the data set already has.
        calibrate_on: `"val"` or `"test"`. Defaults to `"val"`.
    """
    protocol = share = None
    if recipe is not None:
        protocol = recipe.data.protocol
        share = cut_share(protocol, recipe.data.val_share, has)
    held = has if share is None else (*has, "val")
    judged = next(split for split in ("test", "val", "train") if split in held)
    fitted_on = None
    if calibrate_on == "test" or (judged == "val" and protocol != "paper"):
        fitted_on = f"halves of {judged}"
    elif judged == "test" and "val" in held:
        fitted_on = "val"
    return EvaluationPlan(protocol, share, judged, fitted_on)


def require_same_validation(file: Path, images: ImageSet) -> None:
    """Requires the same validation images as those that the run held out.

    Otherwise the run may have trained on them, for example if you added files since.

    Args:
        file: Path of the model of a run.
        images: `ImageSet`.
    """
    for folder in (file.parent, file.parent.parent):
        path = folder / "run.json"
        if path.is_file():
            found = read_json(path).get("facts") or {}
            data = found.get("data", {}) if isinstance(found, dict) else None
            is_known = isinstance(data, dict)
            require_entry(path, is_known, "`facts` with `data`", found)
            known = data.get("validation") if isinstance(data, dict) else None
            require(
                known is None or known == fingerprint({"val": images}),
                "`run` must be evaluated with the images of its training; its "
                "validation images have changed.",
                run=str(folder),
            )
            return
