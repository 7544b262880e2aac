"""Exports of what a run leaves."""

import importlib.util
import re
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_mixvit import SingleNetwork, load_model
from keras_mixvit.training import export
from tests.helpers import images, numpy, set_weights, tiny_cait
from tests.models.run_exported import RUNTIMES

BACKEND = keras.config.backend()
# The file that takes the backend least time to write.
NATIVE = {
    "jax": ("tf_saved_model", "model"),
    "tensorflow": ("tf_saved_model", "model"),
    "torch": ("torch", "model.pt2"),
}[BACKEND]
FOREIGN, WAY, FOREIGN_NAME = {
    "jax": ("onnx", "tensorflow", "model.onnx"),
    "tensorflow": ("torch", "torch", "model.pt2"),
    "torch": ("litert", "tensorflow", "model.tflite"),
}[BACKEND]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small model and the file it was saved to."""
    backbone = tiny_cait(num_blocks=1, num_class_blocks=1, mean=[0.5] * 3)
    model = SingleNetwork(backbone, 3)
    set_weights(model)
    file = tmp_path_factory.mktemp("made") / "model.keras"
    model.save(file)
    return SimpleNamespace(model=model, file=file)


@pytest.fixture
def run(made, tmp_path):
    """The folder of a run."""
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(made.file, folder)
    (folder / "history.csv").write_text("epoch\n0\n")
    return folder


def contents(folder):
    """Every file below a folder, with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_run_is_exported_beside_its_model_which_stays_as_it_was(made, run):
    before = contents(run)
    weights = [np.array(weight) for weight in made.model.get_weights()]
    path = export(str(run), "keras")
    assert path == run / "export" / "model.keras"
    after = contents(run)
    assert after.pop("export/model.keras")
    assert after == before
    ensemble = keras.saving.load_model(path)
    assert ensemble.name == "single_network_ensemble"
    assert not isinstance(ensemble, SingleNetwork)
    x = images(3)
    np.testing.assert_allclose(numpy(ensemble(x)), numpy(made.model(x)), atol=1e-6)
    again = load_model(run / "model.keras")
    for weight, old in zip(again.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.skipif(BACKEND == "jax", reason="the model's own test takes the seconds")
def test_a_run_is_exported_for_another_runtime_in_silence(run, capfd):
    format, name = NATIVE
    before = contents(run)
    path = export(run, format)
    assert path == run / "export" / name
    assert path.exists()
    after = contents(run)
    assert {key: after[key] for key in before} == before
    new = set(after) - set(before)
    assert new
    assert all(key.startswith(f"export/{name}") for key in new)
    assert capfd.readouterr().out == ""


def test_a_file_of_any_name_is_exported_to_a_given_place(made, tmp_path):
    file = tmp_path / "best.keras"
    shutil.copy(made.file, file)
    output = tmp_path / "new" / "folders" / "ensemble.keras"
    assert export(str(file), "keras", str(output)) == output
    assert output.is_file()
    assert not (tmp_path / "export").exists()
    ensemble = keras.saving.load_model(output)
    for weight, old in zip(
        ensemble.get_weights(), made.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, old)


def test_an_export_is_calibrated_unless_told_otherwise(made, tmp_path):
    model = load_model(made.file)
    model.temperature = 2.5
    model.save(tmp_path / "model.keras")
    x = images(3)
    plain = made.model.predict(x, verbose=0)
    for name, options, divisor in (
        ("calibrated", {}, 2.5),
        ("plain", {"temperature": 1}, 1),
        ("own", {"temperature": 0.5}, 0.5),
    ):
        output = str(tmp_path / f"{name}.keras")
        export(str(tmp_path), "keras", output, **options)
        found = numpy(keras.saving.load_model(output)(x))
        np.testing.assert_allclose(found, plain / divisor, rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(BACKEND == "jax", reason="the model's own test takes the seconds")
def test_an_export_for_another_runtime_is_calibrated(made, tmp_path):
    model = load_model(made.file)
    model.temperature = 2.5
    model.save(tmp_path / "model.keras")
    path = export(str(tmp_path), NATIVE[0])
    x, plain = images(3), made.model.predict(images(3), verbose=0)
    found = RUNTIMES[path.suffix](str(path))(x)
    np.testing.assert_allclose(found, plain / 2.5, rtol=1e-4, atol=1e-6)


def test_an_export_of_a_bad_temperature_is_refused(run, tmp_path):
    text = "`temperature` must be a positive finite number. Received: temperature=0"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        export(str(run), "keras", temperature=0)


def test_images_of_another_dtype_are_refused(run):
    text = "`image_dtype` must be one of 'float32', 'uint8'. Received: image_dtype='i"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        export(str(run), "keras", image_dtype="int8")
    assert not (run / "export").exists()


def refused(folder, text, run, format, output=None, error=ValueError):
    """The text is all there is: nothing is written and nothing changed."""
    before = contents(folder)
    folders = {path for path in folder.rglob("*") if path.is_dir()}
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        export(run, format, output)
    assert contents(folder) == before
    assert {path for path in folder.rglob("*") if path.is_dir()} == folders


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("format", ["keras", NATIVE[0]])
def test_an_output_that_exists_is_refused(kind, format, run, tmp_path):
    output = tmp_path / "there.keras"
    if kind == "file":
        output.write_text("mine")
    else:
        output.mkdir()
    text = f"`output` must not exist. Received: output='{output}'"
    refused(tmp_path, text, str(run), format, str(output))


def test_the_default_output_that_exists_is_refused(run, tmp_path):
    output = run / "export" / "model.keras"
    output.parent.mkdir()
    output.write_text("earlier")
    text = f"`output` must not exist. Received: output='{output}'"
    refused(tmp_path, text, str(run), "keras")


def test_the_model_itself_is_never_the_output(run, tmp_path):
    file = str(run / "model.keras")
    text = f"`output` must not exist. Received: output='{file}'"
    refused(tmp_path, text, str(run), "keras", file)


@pytest.mark.parametrize("name", ["missing", "missing.keras", "empty"])
def test_a_run_that_is_not_there_is_refused(name, tmp_path):
    (tmp_path / "empty").mkdir()
    place = str(tmp_path / name)
    text = f"`run` must hold a model.keras. Received: run='{place}'"
    refused(tmp_path, text, place, "keras")


def test_an_unknown_format_is_refused_with_all_that_there_are(run, tmp_path):
    text = (
        "`format` must be one of 'keras', 'preset', 'tf_saved_model', 'onnx', "
        "'litert', 'torch'. Received: format='h5'"
    )
    refused(tmp_path, text, str(run), "h5")


def test_a_format_of_another_backend_is_refused_with_the_way_round(run, tmp_path):
    text = (
        f"`format` must be one that {BACKEND} can write; for '{FOREIGN}', save the "
        f"model as .keras, load it with KERAS_BACKEND={WAY}, and export it "
        f"there. Received: format='{FOREIGN}'"
    )
    refused(tmp_path, text, str(run), FOREIGN)
    refused(tmp_path, text, str(run), FOREIGN, str(tmp_path / FOREIGN_NAME))


@pytest.mark.parametrize("name", ["ensemble", "ensemble.h5", "ensemble.keras.zip"])
def test_a_keras_file_must_be_named_so(name, run, tmp_path):
    output = str(tmp_path / name)
    text = f"`output` must end in .keras. Received: output='{output}'"
    refused(tmp_path, text, str(run), "keras", output)


@pytest.mark.skipif(BACKEND == "jax", reason="its only format is a folder")
def test_a_file_for_another_runtime_must_be_named_so(run, tmp_path):
    format, suffix = ("torch", ".pt2") if BACKEND == "torch" else ("litert", ".tflite")
    output = str(tmp_path / "model.keras")
    text = (
        f"`filepath` must end in '{suffix}' for the format '{format}'. "
        f"Received: filepath='{output}'"
    )
    refused(tmp_path, text, str(run), format, output)


@pytest.mark.skipif(BACKEND == "torch", reason="its format needs no further package")
def test_a_missing_package_is_named_with_its_installation(run, tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec

    def find(name, *args):
        return None if name == "tensorflow" else find_spec(name, *args)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    text = (
        "Exporting 'tf_saved_model' needs the package tensorflow: pip install "
        "tensorflow."
    )
    refused(tmp_path, text, str(run), "tf_saved_model", error=ModuleNotFoundError)


@pytest.mark.parametrize("length", [0, 1000])
def test_a_damaged_model_is_refused(length, run, tmp_path):
    file = run / "model.keras"
    file.write_bytes(file.read_bytes()[:length])
    text = f"`path` must be an existing, intact .keras file. Received: path='{file}'"
    refused(tmp_path, text, str(run), "keras")


def test_a_model_of_another_kind_is_refused(made, tmp_path):
    file = tmp_path / "ensemble.keras"
    made.model.ensemble().save(file)
    text = (
        f"`path` must be a .keras file of this library. Received: path='{file}', "
        "model='Graph'"
    )
    refused(tmp_path, text, str(file), "keras")
