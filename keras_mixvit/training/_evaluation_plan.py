"""Which images evaluate the model of a run, and which fit its temperature."""

from dataclasses import dataclass
from pathlib import Path

from keras_mixvit._checks import require
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.recipes._protocol import cut_share, former_protocol
from keras_mixvit.training._run_facts import fingerprint
from keras_mixvit.training._run_files import read_json, require_entry


@dataclass(frozen=True)
class EvaluationPlan:
    """Which images evaluate a model, and which fit its temperature.

    Args:
        protocol: String, the protocol of the run, or `None` for other images
            than those of a run.
        val_share: Float, the share of the training images that validated the
            run, or `None`.
        judged: `"test"`, `"val"` or `"train"`.
        fitted_on: `"val"`, `"halves of test"` or `"halves of val"`, or `None`.
    """

    protocol: str | None
    val_share: float | None
    judged: str
    fitted_on: str | None


def evaluation_plan(
    options: dict, has: tuple[str, ...], is_own: bool, calibrate_on: str = "val"
) -> EvaluationPlan:
    """The plan for a run, or for other images.

    Args:
        options: Dict, what the run was trained with.
        has: Tuple of strings, the splits that the set has of its own.
        is_own: Boolean, whether they are the images of the run.
        calibrate_on: `"val"` or `"test"`. Defaults to `"val"`.
    """
    protocol = options.get("protocol", former_protocol(has)) if is_own else None
    share = cut_share(protocol, options.get("val_share"), has) if is_own else None
    held = has if share is None else (*has, "val")
    judged = next(split for split in ("test", "val", "train") if split in held)
    fitted_on = None
    if calibrate_on == "test" or (judged == "val" and protocol != "paper"):
        fitted_on = f"halves of {judged}"
    elif judged == "test" and "val" in held:
        fitted_on = "val"
    return EvaluationPlan(protocol, share, judged, fitted_on)


def require_same_validation(file: Path, images: ImageSet) -> None:
    """Requires the validation images to be the ones that the run held out.

    Otherwise the run may have trained on them, for example if you added files
    since. It does not check runs that do not record them.

    Args:
        file: Path of the model of a run.
        images: `ImageSet`.
    """
    for folder in (file.parent, file.parent.parent):
        path = folder / "run.json"
        if path.is_file():
            found = read_json(path).get("facts") or {}
            data = found.get("data", {}) if isinstance(found, dict) else None
            require_entry(path, isinstance(data, dict), "`facts` with `data`", found)
            known = data.get("validation")
            require(
                known is None or known == fingerprint({"val": images}),
                "`run` must be evaluated with the images with which it was trained; "
                "its validation images have changed.",
                run=str(folder),
            )
            return
