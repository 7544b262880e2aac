"""The command `keras-mixvit evaluate`."""

import sys
import warnings
from pathlib import Path

from keras_mixvit.cli._console import make_console
from keras_mixvit.cli._help import add_command
from keras_mixvit.cli._shared_options import add_ood


def add_evaluate(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "evaluate",
        help="judge the model of a run: accuracy, calibration, diversity",
        description="Judges the ensemble and each subnetwork of a run's model on the "
        "test images, in every inference scheme. Fits the temperature on the "
        "validation images. Writes evaluation.json.",
        example="evaluate runs/first --calibrate",
        usage="RUN [options]",
    )
    command.add_argument(
        "run", metavar="RUN", help="folder of the run, or a .keras file"
    )
    command.add_argument(
        "--calibrate",
        action="store_true",
        help="save the temperature with the model, for predict(calibrated=True)",
    )
    command.add_argument(
        "--data",
        metavar="NAME_OR_PATH",
        help="judge on other images (default: those of the run)",
    )
    command.add_argument(
        "--output",
        metavar="FILE",
        help="file to write (default: evaluation.json, beside the model)",
    )
    more = command.add_argument_group("more options")
    more.add_argument(
        "--corrupted",
        metavar="DIR",
        help="also judge the model on CIFAR-10-C or CIFAR-100-C in this folder",
    )
    add_ood(more)
    more.add_argument(
        "--thorough",
        action="store_true",
        help="also compute what takes longer: class-wise calibration, vector scaling, "
        "one temperature per subnetwork, accuracy per class, prediction sets",
    )
    more.add_argument(
        "--bootstrap",
        metavar="N",
        type=int,
        default=0,
        help="resample the test images N times for 95 %% intervals (default: 0, none)",
    )
    more.add_argument(
        "--calibrate-on",
        choices=("val", "test"),
        default="val",
        help="fit the temperature on the validation images (default), or on the test "
        "images; scores on these images then look too good",
    )
    more.add_argument(
        "--batch-size",
        type=int,
        default=128,
        metavar="B",
        help="images per step (default: 128)",
    )


def check_evaluate(run: str, bootstrap: int, **options) -> None:
    """Refuses a folder that is not a run, and a negative number of resamples."""
    from keras_mixvit._checks import require_positive_integer
    from keras_mixvit.training._found_runs import model_file

    require_positive_integer("bootstrap", bootstrap, minimum=0)
    model_file(run)


def run_evaluate(**options) -> int:
    """Evaluates a run and prints the tables."""
    from keras_mixvit.recipes._protocol import BEST
    from keras_mixvit.training._evaluate_run import NOT_CALIBRATED, evaluate_run

    console = make_console(width=150)
    with warnings.catch_warnings():
        # It is the last line of the output, and the status.
        warnings.filterwarnings("ignore", message="No temperature was saved")
        found = evaluate_run(**options, verbose="auto" if console.is_terminal else 0)
    failed = options["calibrate"] and found.temperature is None
    for table in found.report.tables():
        console.print(table)
    if found.corrupted is not None:
        console.print(found.corrupted.table())
    lines = [_about_temperature(found)]
    if options["thorough"] and not found.report.conformal:
        lines.append(
            "No prediction sets: they need validation images that are not judged "
            "and did not choose the model."
        )
    if Path(options["run"]).name == BEST and found.split == "val":
        lines.append(f"The validation images chose {BEST}: these scores look too good.")
    for line in (
        *lines,
        f"Evaluation on the {found.split} split of {found.data}: {found.path}",
    ):
        console.print(line, soft_wrap=True, markup=False)
    if failed:
        print(f"keras-mixvit: {NOT_CALIBRATED}", file=sys.stderr)
    return int(failed)


def _about_temperature(found) -> str:
    if found.fitted_on is None:
        return (
            "No temperature: the run has no validation images to fit it. NLL_c scales "
            "each half of the images with the temperature of the other half."
        )
    if found.temperature is None:
        return "No temperature: NLL has no minimum at one."
    before = found.report.rows[0]["nll"]
    note = ""
    if found.fitted_on != "val":
        note = " (the images that are judged, so this NLL looks too good)"
    return (
        f"Temperature {found.temperature:.4f}, fitted on {found.fitted_on}{note}: NLL "
        f"{before:.4f} becomes {found.calibrated_nll:.4f}."
    )
