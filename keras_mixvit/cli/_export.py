"""The command `keras-mixvit export`."""

from keras_mixvit._export_formats import EXPORT_FORMATS, IMAGE_DTYPES
from keras_mixvit.cli._help import add_command
from keras_mixvit.cli._shared_options import add_temperature


def add_export(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "export",
        help="write the ensemble of a run for another runtime",
        description="Writes the ensemble of a run as one classifier, from images to "
        "logits.",
        example="export runs/first --format onnx --output digits.onnx",
        usage="RUN --format FORMAT [options]",
    )
    command.add_argument(
        "run", metavar="RUN", help="folder of the run, or a .keras file"
    )
    command.add_argument(
        "--format",
        required=True,
        choices=EXPORT_FORMATS,
        help="keras, preset (any backend); tf_saved_model (TensorFlow, JAX); onnx, "
        "litert (TensorFlow); torch, a .pt2 file (PyTorch)",
    )
    command.add_argument(
        "--output",
        metavar="PATH",
        help="new file or folder (default: export, beside the model)",
    )
    add_temperature(command)
    command.add_argument(
        "--image-dtype",
        choices=IMAGE_DTYPES,
        default="float32",
        help="type of the images that the exported model takes; uint8: bytes, as in "
        "image files (default: float32)",
    )
    command.add_argument(
        "--license",
        metavar="NAME",
        help="license of the weights, such as mit, for the model card of a preset",
    )


def check_export(
    run: str,
    format: str,
    output: str | None,
    temperature: float | None,
    image_dtype: str,
    license: str | None,
) -> None:
    """Refuses a folder that is not a run, and a file that would be overwritten."""
    from keras_mixvit._checks import require_temperature
    from keras_mixvit.training._found_runs import export_path, require_export_options

    if temperature is not None:
        require_temperature(temperature)
    export_path(run, format, output)
    require_export_options(format, image_dtype, license)


def run_export(
    run: str,
    format: str,
    output: str | None,
    temperature: float | None,
    image_dtype: str,
    license: str | None,
) -> int:
    """Exports and prints the path."""
    from keras_mixvit.training._export import export

    path = export(run, format, output, temperature, image_dtype, license)
    what = "Preset" if format == "preset" else "Ensemble"
    into = "" if format == "preset" else ", images to logits"
    print(f"{what} of {run}{into}: {path}")
    return 0
