import contextlib
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


@dataclass(frozen=True)
class RunEvaluation:
    """What `evaluate_run` found and wrote.

    Args:
        report: `EvaluationReport` of the test images.
        corrupted: `CorruptionReport`, or `None`.
        data: String, the set.
        split: String, the split that was judged.
        temperature: Float, the temperature fitted, or `None` where none was
            fitted or there is none.
        fitted_on: `"val"`; `"halves of test"` or `"halves of val"`, the mean of
            the temperatures of two halves of the images that were judged; or
            `None`, where no images were left to fit one.
        calibrated_nll: Float, NLL of the judged images at that temperature, or
            `None`.
        path: Path of the file written.

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
        """What is written to the file."""
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

    Beside the model it stores what `predict` needs of the validation images of the
    run.

    It fits the temperature on the validation images of the run. Without a test
    split it evaluates on these images too; then the temperature is the mean of
    those of two halves, and the NLL with it is somewhat too good. A run of the
    protocol `"paper"` has no validation images and gets no temperature. The
    `calibrated_nll` of the report, the papers' NLL_c, needs none: it judges each
    half of the images with the temperature of the other half.

    Args:
        run: Path of the folder of a run or of its `single` network, or of a
            `.keras` file.
        data: What `load` takes, or `None` for the set of the run. Defaults to
            `None`.
        corrupted: Path of the folder of CIFAR-10-C or CIFAR-100-C, to evaluate
            the model on it too, or `None`. Defaults to `None`.
        output: Path of the file to write, or `None` for `evaluation.json`
            beside the model. Defaults to `None`.
        calibrate: Boolean, whether to save the model again, with its
            temperature, for `predict(x, calibrated=True)`. Defaults to
            `False`.
        calibrate_on: `"val"`, or `"test"` to fit the temperature on two halves
            of the images that are judged, although it is then too good for
            them. Defaults to `"val"`.
        batch_size: Positive integer, images per step. Defaults to `128`.
        verbose: What `keras.Model.predict` takes. Defaults to `"auto"`.
        thorough: Boolean, whether to compute also what takes longer, see `evaluate`,
            and to fit `ConformalSets` on the validation images, unless these are judged
            or chose the model. Defaults to `False`.
        ood: Sequence of names or paths of sets, as `load` takes them, whose images are
            out of the distribution. Their test images, else their validation or
            training images, are resized to those of the model. Defaults to `()`.
        bootstrap: Non-negative integer, the number of resamples of the test images
            for 95 % intervals, see `evaluate`. Defaults to `0`.

    Returns:
        A `RunEvaluation`.

    Raises:
        ValueError: If there is no such run, data do not fit the model, there is
            no finite temperature to save, no images are left to fit one, or the
            test images chose the model.

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
        f"`run` must not be {BEST} where the images that judge it chose it; take "
        "model.keras, or other images.",
        run=run,
        data=name,
    )
    require(
        plan.fitted_on is not None or not calibrate,
        "`calibrate` must not be set where the run has no validation images; "
        "`calibrate_on` 'test' fits the temperature on the images that are judged.",
        calibrate=calibrate,
        data=name,
    )
    require(
        corrupted is None or name in ("cifar10", "cifar100"),
        "`corrupted` must not be set with other sets than cifar10 and cifar100.",
        corrupted=corrupted,
        data=name,
    )
    images = of_run.load(split)
    fitted_on, held_out = plan.fitted_on, images
    if fitted_on == "val":
        held_out = of_run.load("val")
    is_held_out = fitted_on == "val" and not of_run.chose_the_model
    model = load_model(file)
    report, logits = judged(
        model,
        images,
        batch_size=batch_size,
        verbose=verbose,
        thorough=thorough,
        ood=load_ood(ood, name, model.image_shape[:2], **of_run.where),
        held_out=held_out if thorough and is_held_out else None,
        bootstrap=bootstrap,
    )
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
    require(
        is_usable or not calibrate,
        "`calibrate` must not be set if no temperature minimises the NLL: all "
        "predictions are right, or none better than chance.",
        calibrate=calibrate,
        temperature=temperature,
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
    if calibrate:
        model.temperature = temperature
        save_model(model, file)
    return found
