import importlib.util

import keras

from keras_mixvit._checks import require, require_choice
from keras_mixvit._export_formats import FORMATS


def require_export(path: str, format: str) -> None:
    """Requires a format that Keras can write on this backend and to this path."""
    require_choice("format", format, FORMATS)
    backends, suffix, packages = FORMATS[format]
    backend = keras.config.backend()
    require(
        backend in backends,
        f"`format` must be one that {backend} can write; for {format!r}, save the "
        f"model as .keras, load it with KERAS_BACKEND={backends[0]}, and export it "
        "there.",
        format=format,
    )
    require(
        path.endswith(suffix),
        f"`filepath` must end in {suffix!r} for the format {format!r}.",
        filepath=path,
    )
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(
                f"Exporting {format!r} needs the package {package}: pip install "
                f"{package}."
            )
