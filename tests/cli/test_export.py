import shutil
import sys

import keras
import numpy as np
import pytest

from keras_mixvit import load_model
from keras_mixvit.cli._main import main


def test_a_finished_run_is_exported_and_the_path_is_told(command_run, tmp_path, capsys):
    output = tmp_path / "ensemble.keras"
    words = ["export", str(command_run.folder), "--format=keras", f"--output={output}"]
    assert main(words) == 0
    told = capsys.readouterr()
    expected = f"Ensemble of {command_run.folder}, images to logits: {output}\n"
    assert told.out == expected
    assert told.err == ""
    ensemble = keras.saving.load_model(output)
    assert ensemble.output_shape == (None, 3)
    model = load_model(command_run.folder / "model.keras")
    for weight, old in zip(ensemble.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, old)


def test_an_export_goes_beside_the_model_by_default(command_run, tmp_path, capsys):
    file = tmp_path / "best.keras"
    shutil.copy(command_run.folder / "single" / "model.keras", file)
    assert main(["export", str(file), "--format", "keras"]) == 0
    output = tmp_path / "export" / "model.keras"
    assert output.is_file()
    assert capsys.readouterr().out.endswith(f": {output}\n")
    # A second one would overwrite the first.
    before = output.read_bytes()
    assert main(["export", str(file), "--format", "keras"]) == 1
    told = capsys.readouterr()
    text = f"`output` must not exist. Received: output={str(output)!r}"
    assert told.err == f"keras-mixvit: {text}\n"
    assert told.out == ""
    assert output.read_bytes() == before


def test_an_export_takes_bytes_if_you_say_so(command_run, tmp_path, capsys):
    output = tmp_path / "ensemble.keras"
    words = ["export", str(command_run.folder), "--format=keras", f"--output={output}"]
    assert main([*words, "--image-dtype=uint8"]) == 0
    assert capsys.readouterr().err == ""
    assert keras.saving.load_model(output).inputs[0].dtype == "uint8"


def refused_export(tmp_path, capsys, text, *more):
    """An export is one sentence and leaves no file."""
    file = tmp_path / "model.keras"
    file.write_bytes(b"no model")
    assert main(["export", str(file), *more]) == 1
    told = capsys.readouterr()
    assert told.err == f"keras-mixvit: {text}\n"
    assert told.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_an_export_of_a_damaged_model_is_one_sentence(tmp_path, capsys):
    file = str(tmp_path / "model.keras")
    text = f"`path` must be an existing, intact .keras file. Received: path={file!r}"
    refused_export(tmp_path, capsys, text, "--format=keras")


def test_an_export_to_another_suffix_is_one_sentence(tmp_path, capsys):
    output = str(tmp_path / "model.h5")
    text = f"`output` must end in .keras. Received: output={output!r}"
    more = ("--format=keras", f"--output={output}")
    refused_export(tmp_path, capsys, text, *more)


def test_an_export_in_a_format_of_another_backend_is_one_sentence(tmp_path, capsys):
    backend = keras.config.backend()
    format, way = ("onnx", "tensorflow")
    if backend == "tensorflow":
        format, way = ("torch", "torch")
    text = (
        f"`format` must be one that {backend} can write; for {format!r}, save the "
        f"model as .keras, load it with KERAS_BACKEND={way}, and export it "
        f"there. Received: format={format!r}"
    )
    refused_export(tmp_path, capsys, text, "--format", format)


def test_an_export_without_a_package_is_one_sentence(tmp_path, monkeypatch, capsys):
    text = "Exporting 'onnx' needs the package tf2onnx: pip install tf2onnx."

    def missing(*args):
        raise ModuleNotFoundError(text)

    monkeypatch.setattr(sys.modules["keras_mixvit.training._export"], "export", missing)
    refused_export(tmp_path, capsys, text, "--format=onnx")


def test_an_export_of_a_run_that_is_not_there_is_one_sentence(tmp_path, capsys):
    run = str(tmp_path / "missing")
    assert main(["export", run, "--format=keras"]) == 1
    text = f"keras-mixvit: `run` must hold a model.keras. Received: run={run!r}\n"
    assert capsys.readouterr().err == text


def test_help_of_an_export_lists_the_formats_with_their_backends(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stop:
        main(["export", "--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--format {keras,preset,tf_saved_model,onnx,litert,torch}" in text
    for told in (
        "keras, preset (any backend)",
        "tf_saved_model (TensorFlow, JAX)",
        "onnx, litert (TensorFlow)",
        "torch, a .pt2 file (PyTorch)",
        "--output",
        "--image-dtype {float32,uint8}",
    ):
        assert told in text
