"""A training that takes seconds: few small images, a small model, no graph."""

import keras
import numpy as np

from keras_mixvit.models import MIMOModel

SETTINGS = [
    "backbone.width=8",
    "backbone.num_heads=2",
    "backbone.num_blocks=1",
    "backbone.num_class_blocks=1",
    "backbone.patch_size=4",
    "batch_size=8",
    "epochs=1",
]
WORDS = [f"--set={setting}" for setting in SETTINGS]


def write_images(path, train=16, test=12, **changes):
    """Writes a `.npz` file of 8 x 8 grey images of three classes."""
    rng = np.random.default_rng(0)
    arrays = {"classes": np.array(["ant", "bee", "cat"])}
    for split, count in (("train", train), ("val", 4), ("test", test)):
        arrays[f"x_{split}"] = rng.random((count, 8, 8, 1)).astype("float32")
        arrays[f"y_{split}"] = np.arange(count) % 3
    np.savez(path, **{**arrays, **changes})
    return str(path)


def make_eager(monkeypatch):
    """Saves the seconds in which TensorFlow compiles a training step.

    On JAX, running without compilation takes longer than compiling.
    """
    compile_model = MIMOModel.compile

    def compile_eagerly(self, *args, **kwargs):
        kwargs.setdefault("run_eagerly", keras.config.backend() != "jax")
        compile_model(self, *args, **kwargs)

    monkeypatch.setattr(MIMOModel, "compile", compile_eagerly)


def train_words(data, output, *more):
    """The words of a command that trains this."""
    return ["train", f"--set=data={data}", f"--output={output}", *WORDS, *more]
