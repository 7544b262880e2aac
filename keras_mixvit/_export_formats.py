"""The export formats of models."""

# The backends on which Keras 3.15 writes a format, its suffix, and its packages.
FORMATS = {
    "tf_saved_model": (("tensorflow", "jax"), "", ("tensorflow",)),
    "onnx": (("tensorflow",), ".onnx", ("tf2onnx", "onnx")),
    "litert": (("tensorflow",), ".tflite", ()),
    "torch": (("torch",), ".pt2", ()),
}
EXPORT_FORMATS = ("keras", "preset", *FORMATS)
# Of the images that an exported model takes.
IMAGE_DTYPES = ("float32", "uint8")
