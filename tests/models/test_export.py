"""What is exported answers as the model does, where there is no Keras."""

import functools
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork
from keras_mixvit.models import MIMOModel
from tests.helpers import images, set_weights, tiny_cait, tiny_convit, tiny_vit

BACKEND = keras.config.backend()
SUFFIXES = {"tf_saved_model": "", "onnx": ".onnx", "litert": ".tflite", "torch": ".pt2"}
WAYS = {
    "tf_saved_model": "tensorflow",
    "onnx": "tensorflow",
    "litert": "tensorflow",
    "torch": "torch",
}
WRITTEN = {
    "jax": ["tf_saved_model"],
    "tensorflow": ["tf_saved_model", "onnx", "litert"],
    "torch": ["torch"],
}[BACKEND]
REFUSED = [name for name in SUFFIXES if name not in WRITTEN]
PACKAGES = {
    "tf_saved_model": ["tensorflow"],
    "onnx": ["tf2onnx", "onnx", "onnxruntime"],
    "litert": ["ai_edge_litert"],
    "torch": ["torch"],
}
SMALL = {
    "num_blocks": 1,
    "num_class_blocks": 1,
    "mean": [127.0, 120.0, 110.0],
    "std": [60.0, 61.0, 65.0],
}


def cait(**options):
    return MixViT(tiny_cait(**SMALL), 3, **options)


def convit(trunk="self_attention", **options):
    return MixViT(tiny_convit(**SMALL, trunk_attention=trunk), 3, **options)


def single_network():
    return SingleNetwork(tiny_convit(**SMALL), 3)


def vit(**options):
    return MixViT(tiny_vit(**SMALL, layer_scale=0.1), 3, **options)


MODELS = {
    "cait": cait,
    "vit": vit,
    "convit": functools.partial(
        convit,
        inference="sum",
        source_attribution="encoding",
        attribution_position="early",
        ensemble_of="probabilities",
        temperature=1.5,
    ),
    "single": single_network,
    "alternating": functools.partial(cait, inference="alternating"),
    "subnetwork": functools.partial(convit, inference=1),
    "all_tokens": functools.partial(convit, input_mixing="all_tokens"),
}
# Each format knows its own operations; schemes differ in few of them.
EXPORTED = {
    ("jax", "tf_saved_model"): ["cait", "convit", "vit"],
    ("tensorflow", "tf_saved_model"): ["convit", "single"],
    ("tensorflow", "onnx"): ["cait", "convit", "vit"],
    ("tensorflow", "litert"): ["cait", "convit", "vit"],
    ("torch", "torch"): [
        "cait",
        "convit",
        "vit",
        "single",
        "alternating",
        "all_tokens",
    ],
}
SAVED = ["cait"] if BACKEND == "jax" else list(MODELS)
# Pixel values as in a file, which `mean` and `std` of the model are for.
IMAGES = np.floor(256 * images(6))


@functools.cache
def model_of(name):
    model = MODELS[name]()
    set_weights(model)
    return model


@functools.cache
def answers(name):
    """Calibrated predictions of a model, all in batches of one size."""
    return model_of(name).predict(IMAGES, 3, 0, calibrated=True)


def run_exported(folder, paths, x=IMAGES):
    """Outputs of a process that has the runtime of a format and no Keras."""
    np.savez(folder / "images.npz", six=x, three=x[:3], one=x[:1])
    program = Path(__file__).with_name("run_exported.py")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, program, "images.npz", "outputs.npz", *paths],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    with np.load(folder / "outputs.npz") as outputs:
        return dict(outputs)


@pytest.mark.parametrize("format", WRITTEN)
def test_the_exported_ensemble_predicts_without_keras(format, tmp_path):
    for package in PACKAGES[format]:
        pytest.importorskip(package)
    names = EXPORTED[BACKEND, format]
    paths = [tmp_path / f"{name}{SUFFIXES[format]}" for name in names]
    for name, path in zip(names, paths, strict=True):
        model = model_of(name)
        before = [np.array(weight) for weight in model.get_weights()]
        model.export(path, format, verbose=False)
        for weight, old in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, old)
    outputs = run_exported(tmp_path, paths)
    imported = set(outputs.pop("imported").tolist())
    # TensorFlow brings Keras along by itself.
    assert imported <= ({"keras"} if format == "tf_saved_model" else set())
    assert len(outputs) == 3 * len(names)
    for name in names:
        expected = answers(name)
        assert expected.shape == (6, 3)
        # Else an exported constant would pass.
        assert np.ptp(expected, axis=0).max() > 0.01
        for batch, size in (("six", 6), ("three", 3), ("one", 1)):
            np.testing.assert_allclose(
                outputs[f"{name} {batch}"],
                expected[:size],
                atol=1e-5,
                rtol=0,
                err_msg=f"{name}, batch of {size}",
            )


@pytest.mark.parametrize("name", SAVED)
def test_the_ensemble_is_saved_as_a_keras_model(name, tmp_path):
    model_of(name).ensemble().save(tmp_path / "ensemble.keras")
    ensemble = keras.saving.load_model(tmp_path / "ensemble.keras")
    assert not isinstance(ensemble, MIMOModel)
    assert ensemble.input_shape == (None, 8, 12, 3)
    found = ensemble.predict(IMAGES, batch_size=3, verbose=0)
    np.testing.assert_allclose(found, answers(name), atol=1e-6, rtol=0)


@pytest.fixture
def recorded(monkeypatch):
    """Calls of Keras's export, which are not made."""
    calls = []

    def record(self, filepath, **options):
        calls.append((self, filepath, options))

    monkeypatch.setattr(keras.Model, "export", record)
    for package in ("tensorflow", "tf2onnx", "onnx"):
        pretend(monkeypatch, package, present=True)
    return calls


def pretend(monkeypatch, package, present):
    """Makes a package look installed, or not."""
    find_spec = importlib.util.find_spec

    def find(name, *args):
        if name == package:
            return object() if present else None
        return find_spec(name, *args)

    monkeypatch.setattr(importlib.util, "find_spec", find)


def test_further_arguments_reach_keras(recorded, tmp_path):
    model = model_of("single")
    format = WRITTEN[0]
    path = tmp_path / f"model{SUFFIXES[format]}"
    signature = [keras.InputSpec(shape=(4, 8, 12, 3), dtype="float32")]
    more = {"dynamic_shapes": None} if BACKEND == "torch" else {"is_static": True}
    model.export(path, format, verbose=False, input_signature=signature, **more)
    [(exported, filepath, options)] = recorded
    assert exported.name == "single_network_ensemble"
    assert filepath == path
    expected = {"format": format, "verbose": False, "input_signature": signature}
    assert options == {**expected, **more}


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch does not write the default")
def test_the_default_format_is_a_saved_model(recorded, tmp_path):
    model_of("single").export(tmp_path / "model")
    [(_, _, options)] = recorded
    assert options["format"] == "tf_saved_model"
    assert options["verbose"] is options["input_signature"] is None


def refused(error, text, tmp_path, path, *format):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        model_of("single").export(tmp_path / path, *format)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", REFUSED)
def test_a_format_of_another_backend_is_refused_with_the_way_round(format, tmp_path):
    text = (
        f"`format` must be one that {BACKEND} can write; for '{format}', save the "
        f"model as .keras, load it with KERAS_BACKEND={WAYS[format]}, and export it "
        f"there. Received: format='{format}'"
    )
    refused(ValueError, text, tmp_path, f"model{SUFFIXES[format]}", format)


@pytest.mark.skipif(BACKEND != "torch", reason="the other backends write the default")
def test_the_default_format_is_refused_on_pytorch_with_the_way_round(tmp_path):
    text = (
        "`format` must be one that torch can write; for 'tf_saved_model', save the "
        "model as .keras, load it with KERAS_BACKEND=tensorflow, and export it "
        "there. Received: format='tf_saved_model'"
    )
    refused(ValueError, text, tmp_path, "model")


@pytest.mark.parametrize("format", ["openvino", "keras", "ONNX", "", None])
def test_an_unknown_format_is_refused(format, tmp_path):
    text = (
        "`format` must be one of 'tf_saved_model', 'onnx', 'litert', 'torch'. "
        f"Received: format={format!r}"
    )
    refused(ValueError, text, tmp_path, "model", format)


@pytest.mark.parametrize("format", [f for f in WRITTEN if SUFFIXES[f]])
@pytest.mark.parametrize("name", ["model", "model.keras"])
def test_a_path_with_another_suffix_is_refused(format, name, tmp_path):
    text = (
        f"`filepath` must end in '{SUFFIXES[format]}' for the format '{format}'. "
        f"Received: filepath='{tmp_path / name}'"
    )
    refused(ValueError, text, tmp_path, name, format)


@pytest.mark.parametrize(
    ("format", "package"),
    [("tf_saved_model", "tensorflow"), ("onnx", "tf2onnx"), ("onnx", "onnx")],
)
def test_a_missing_package_is_named_with_its_installation(
    format, package, tmp_path, monkeypatch
):
    if format not in WRITTEN:
        pytest.skip("another backend writes this format")
    for other in PACKAGES[format]:
        pretend(monkeypatch, other, present=other != package)
    text = f"Exporting '{format}' needs the package {package}: pip install {package}."
    path = f"model{SUFFIXES[format]}"
    refused(ModuleNotFoundError, text, tmp_path, path, format)
