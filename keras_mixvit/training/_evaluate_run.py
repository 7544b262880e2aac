import contextlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_mixvit._checks import require, require_choice
from keras_mixvit.evaluation import (
    CorruptionReport,
    EvaluationReport,
    evaluate_corrupted,
)
from keras_mixvit.evaluation._evaluate import judged
from keras_mixvit.evaluation._evaluation_report import finite
from keras_mixvit.metrics import fit_temperature, nll
from keras_mixvit.models import load_model
from keras_mixvit.recipes._protocol import BEST
from keras_mixvit.training._atomic_files import save_model, write_json
from keras_mixvit.training._found_runs import model_file
from keras_mixvit.training._held_out import HeldOut, network_of, write_held_out
from keras_mixvit.training._ood_sets import load_ood
from keras_mixvit.training._run_images import RunImages

NOT_CALIBRATED = (
    "No temperature was saved, because none minimises the NLL: all predictions are "
    "right, or none are better than chance."
)


@dataclass(frozen=True)
class RunEvaluation:
    """The results of `evaluate_run`, which are also in its file.

    Args:
        report: `EvaluationReport` of the test images.
        corrupted: `CorruptionReport`, or `None`.
        data: String, the data set.
        split: String, the evaluated split.
        temperature: Float, the fitted temperature, or `None` if none was fitted or
            exists.
        fitted_on: `"val"`; `"halves of test"` or `"halves of val"`, for the mean of the
            temperatures of two halves of the evaluated images; or `None` if no images
            were left to fit one.
        calibrated_nll: Float, the NLL of the evaluated images at that temperature, or
            `None`.
        path: Path of the written file.

    Example:

    ```python
    row = {"inference": None, "part": "network", "accuracy": 0.75, "nll": 0.5}
    report = EvaluationReport("mine", samples=4, rows=[row])
    path = Path("evaluation.json")
    found = RunEvaluation(report, None, "digits", "test", 1.5, "val", 0.25, path)
    assert found.to_dict()["temperature"]["value"] == 1.5
    ```
    """

    report: EvaluationReport
    corrupted: CorruptionReport | None
    data: str
    split: str
    temperature: float | None
    fitted_on: str | None
    calibrated_nll: float | None
    path: Path

    def to_dict(self) -> dict:
        """The results as a dict for JSON, as in the file."""
        return finite(
            {
                "data": self.data,
                "split": self.split,
                "temperature": {
                    "value": self.temperature,
                    "fitted_on": self.fitted_on,
                    "nll": self.calibrated_nll,
                },
                **self.report.to_dict(),
                "corrupted": self.corrupted and self.corrupted.to_dict(),
            }
        )


def evaluate_run(
    run: str,
    data: str | None = None,
    corrupted: str | None = None,
    output: str | None = None,
    calibrate: bool = False,
    calibrate_on: str = "val",
    batch_size: int = 128,
    verbose: str | int = "auto",
    thorough: bool = False,
    ood: Sequence[str] = (),
    bootstrap: int = 0,
) -> RunEvaluation:
    """Evaluates the model of a run on its test images, and fits its temperature.

    It fits the temperature on the validation images of the run. Without a test split,
    it also evaluates on these images. Then the temperature is the mean of those of two
    halves, and the NLL at it is slightly too good. A run with the protocol `"paper"`
    has no validation images and gets no temperature. The `calibrated_nll` of the
    report, the papers' NLL_c, needs none: each half of the images gets the temperature
    of the other half. Beside the model, it stores what `predict` needs to know of the
    validation images.

    Args:
        run: Path of the folder of a run or of its `single` network, or of a
            `.keras` file.
        data: Name or path of a data set, as `load` takes it, or `None` for the set of
            the run. Defaults to `None`.
        corrupted: Path of the folder of CIFAR-10-C or CIFAR-100-C, to evaluate the
            model on it, too, or `None`. Defaults to `None`.
        output: Path of the file to write, or `None` for `evaluation.json`
            beside the model. Defaults to `None`.
        calibrate: Boolean, whether to save the temperature in the model, for
            `predict(x, calibrated=True)`. Defaults to `False`.
        calibrate_on: `"val"`, or `"test"` to fit the temperature on two halves of the
            evaluated images, which makes the NLL too good. Defaults to `"val"`.
        batch_size: Positive integer, images per step. Defaults to `128`.
        verbose: As in `keras.Model.predict`. Defaults to `"auto"`.
        thorough: Boolean, whether to compute the slower metrics, too (see `evaluate`),
            and to fit `ConformalSets` on the validation images, unless these are
            evaluated or chose the model. Defaults to `False`.
        ood: Sequence of names or paths of data sets, as `load` takes them, whose images
            are out of the distribution. Their test images, or else their validation or
            training images, are resized for the model. Defaults to `()`.
        bootstrap: Non-negative integer, the number of resamples of the test images
            for 95 % intervals, see `evaluate`. Defaults to `0`.

    Returns:
        A `RunEvaluation`.

    Raises:
        ValueError: If there is no such run, data do not fit the model, no images are
            left to fit a temperature to save, or the test images chose the model.

    Example:

    ```python
    model = SingleNetwork(ConViT((8, 8, 1), 2, 8, 2, 1, 1), num_classes=10)
    model.save("model.keras")
    found = evaluate_run("model.keras", data="digits", verbose=0)
    assert found.fitted_on == "val" and len(found.report.rows) == 1
    ```

    References:
        MixMo, Section 4.1; Guo et al., On Calibration of Modern Neural
        Networks, 2017.
    """
    require_choice("calibrate_on", calibrate_on, ("val", "test"))
    file = model_file(run)
    of_run = RunImages(file, data, calibrate_on)
    plan, name = of_run.plan, of_run.name
    split = plan.judged
    require(
        split != "train" or data is not None,
        "`data` must have a test or a validation split.",
        data=name,
    )
    require(
        plan.protocol != "paper" or file.name != BEST,
        f"`run` must not be {BEST} if the evaluated images chose it; use "
        "model.keras, or other images.",
        run=run,
        data=name,
    )
    require(
        plan.fitted_on is not None or not calibrate,
        "`calibrate` must not be set if the run has no validation images; "
        "`calibrate_on` 'test' fits the temperature on the evaluated images.",
        calibrate=calibrate,
        data=name,
    )
    require(
        corrupted is None or name in ("cifar10", "cifar100"),
        "`corrupted` must not be set for data sets other than cifar10 and cifar100.",
        corrupted=corrupted,
        data=name,
    )
    images = of_run.load(split)
    fitted_on, held_out = plan.fitted_on, images
    if fitted_on == "val":
        held_out = of_run.load("val")
    is_held_out = fitted_on == "val" and not of_run.chose_the_model
    model = load_model(file)
    evaluated = judged(
        model,
        images,
        batch_size=batch_size,
        verbose=verbose,
        thorough=thorough,
        ood=load_ood(ood, name, images.images, model.image_shape, **of_run.where),
        held_out=held_out if thorough and is_held_out else None,
        bootstrap=bootstrap,
    )
    report, logits = evaluated.report, evaluated.first.averaged
    temperature, known = float("nan"), logits
    if fitted_on == "val":
        known = model.predict(held_out.batches(batch_size), verbose=verbose)
        temperature = fit_temperature(known, held_out.labels)
    elif fitted_on is not None:
        temperature = report.rows[0]["temperature"]
    is_usable = 0 < temperature < float("inf")
    found = RunEvaluation(
        report,
        evaluate_corrupted(model, name, corrupted, batch_size=batch_size)
        if corrupted
        else None,
        name,
        split,
        temperature if is_usable else None,
        fitted_on,
        nll(logits / temperature, images.labels) if is_usable else None,
        file.parent / "evaluation.json" if output is None else Path(output),
    )
    found.path.parent.mkdir(parents=True, exist_ok=True)
    write_json(found.path, found.to_dict())
    if of_run.is_own and of_run.has_validation:
        about = HeldOut.fit(
            *(known, held_out.labels, held_out.class_names, model.ensemble_of),
            of_run.chose_the_model,
        )
        # The folder may be one that only `output` avoids writing to.
        with contextlib.suppress(OSError):
            write_held_out(file.parent, network_of([model]), about)
    if calibrate and not is_usable:
        warnings.warn(NOT_CALIBRATED, stacklevel=2)
    elif calibrate:
        model.temperature = temperature
        save_model(model, file)
    return found
