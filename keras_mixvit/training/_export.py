from pathlib import Path

from keras_mixvit._checks import require, require_choice, require_path
from keras_mixvit._export_formats import EXPORT_FORMATS, FORMATS
from keras_mixvit.models import load_model
from keras_mixvit.models._export_checks import require_export


def export(run: str, format: str, output: str | None = None) -> Path:
    """Exports the ensemble of a finished run as one classifier of images.

    Args:
        run: Path of the folder of a run, or of a `.keras` file.
        format: `"keras"` (a functional Keras model), or a format of
            `model.export`: `"tf_saved_model"`, `"onnx"`, `"litert"` or
            `"torch"`.
        output: Path to write to, which must not exist, or `None` for `export`
            in the folder of the model. Defaults to `None`.

    Returns:
        The path of the file or folder written.

    Raises:
        ValueError: If there is no such run, the backend does not write the
            format, or `output` exists.
        ModuleNotFoundError: If a package that the format needs is missing.

    Example:

    ```python
    model = SingleNetwork(ConViT((8, 8, 1), 2, 16, 4, 1), num_classes=10)
    model.save("model.keras")
    assert export("model.keras", "keras").name == "model.keras"
    ```
    """
    require_choice("format", format, EXPORT_FORMATS)
    require_path("run", run)
    file = Path(run)
    if file.is_dir():
        file = file / "model.keras"
    require(file.is_file(), "`run` must hold a model.keras.", run=run)
    suffix = ".keras" if format == "keras" else FORMATS[format][1]
    path = file.parent / "export" / f"model{suffix}" if output is None else Path(output)
    require(not path.exists(), "`output` must be a path that is new.", output=str(path))
    if format == "keras":
        require(path.suffix == ".keras", "`output` must end in .keras.", output=output)
    else:
        require_export(str(path), format)
    model = load_model(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    if format == "keras":
        model.ensemble().save(path)
    else:
        model.export(path, format, verbose=False)
    return path
