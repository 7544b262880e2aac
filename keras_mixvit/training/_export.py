from pathlib import Path

from keras_mixvit._checks import require, require_choice, require_temperature
from keras_mixvit._export_formats import IMAGE_DTYPES
from keras_mixvit.models import load_model
from keras_mixvit.models._export_checks import require_export
from keras_mixvit.models._presets import Presets
from keras_mixvit.training._found_runs import (
    export_path,
    model_file,
    require_export_options,
)
from keras_mixvit.training._held_out import (
    network_of,
    read_held_out,
    write_held_out,
)
from keras_mixvit.training._run_description import run_class_names, run_description


def export(
    run: str,
    format: str,
    output: str | None = None,
    temperature: float | None = None,
    image_dtype: str = "float32",
    license: str | None = None,
) -> Path:
    """Exports the ensemble of a finished run as one classifier, for use elsewhere.

    Args:
        run: Path of a run folder, or of a `.keras` file.
        format: `"keras"` (a functional Keras model); `"preset"` (a folder with the
            whole network, a model card, and what `predict` stored about the run);
            or a format of `model.export`: `"tf_saved_model"`, `"onnx"`, `"litert"`
            or `"torch"`.
        output: Path to write to, which must not exist, or `None` for `export`
            in the folder of the model. Defaults to `None`.
        temperature: Positive float, by which the logits are divided, or `None`
            for the temperature that is saved with the model, which is 1 before
            `evaluate_run(run, calibrate=True)`. `1.0` exports plain logits.
            Defaults to `None`.
        image_dtype: `"float32"` or `"uint8"`, what images the classifier takes, on
            the scale of the training images. Defaults to `"float32"`.
        license: String, the license of the weights of a preset, such as `"mit"`, or
            `None`. Defaults to `None`.

    Returns:
        The path of the written file or folder.

    Raises:
        ValueError: If there is no such run, the backend cannot write the format,
            `output` exists, `temperature` is not a positive finite number, there
            is no such `image_dtype`, or an option does not fit the format.
        ModuleNotFoundError: If a package that the format needs is missing.

    Example:

    ```python
    model = SingleNetwork(ConViT((8, 8, 1), 2, 16, 4, 1), num_classes=10)
    model.save("model.keras")
    assert export("model.keras", "keras").name == "model.keras"
    ```
    """
    if temperature is not None:
        require_temperature(temperature)
    require_choice("image_dtype", image_dtype, IMAGE_DTYPES)
    path = export_path(run, format, output)
    require_export_options(format, image_dtype, license)
    if format == "preset":
        return _write_preset(run, path, temperature, license)
    if format != "keras":
        require_export(str(path), format)
    model = load_model(model_file(run))
    path.parent.mkdir(parents=True, exist_ok=True)
    if format == "keras":
        model.ensemble(temperature, image_dtype).save(path)
    else:
        model.export(
            path,
            format,
            verbose=False,
            temperature=temperature,
            image_dtype=image_dtype,
        )
    return path


def _write_preset(run, path, temperature, license):
    file = model_file(run)
    model = load_model(file)
    require(
        isinstance(model, Presets),
        "`run` must be of a model with a backbone to be a preset.",
        run=str(run),
        model=type(model).__name__,
    )
    if temperature is not None:
        model.temperature = temperature
    names = run_class_names(file.parent, model.num_classes)
    key = network_of([model])
    held = read_held_out(file.parent, key)
    model.save_to_preset(path, names, license, run_description(file.parent))
    if held is not None:
        # Predictions of the preset have flags and sets, as those of the run.
        write_held_out(path, key, held)
    return path
