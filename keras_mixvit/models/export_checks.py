import importlib.util

import keras

from keras_mixvit._checks import require, require_choice

# Backends on which Keras 3.15 writes a format, its suffix, and its packages.
FORMATS = {
    "tf_saved_model": (("tensorflow", "jax"), "", ("tensorflow",)),
    "onnx": (("tensorflow",), ".onnx", ("tf2onnx", "onnx")),
    "litert": (("tensorflow",), ".tflite", ()),
    "torch": (("torch",), ".pt2", ()),
}


def require_export(path: str, format: str) -> None:
    """Requires Keras to be able to write a format, here and to this path."""
    require_choice("format", format, FORMATS)
    backends, suffix, packages = FORMATS[format]
    backend = keras.config.backend()
    require(
        backend in backends,
        f"`format` must be another one on {backend}; for {format!r} save the model as "
        f".keras, load it with KERAS_BACKEND={backends[0]}, and export it there.",
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
