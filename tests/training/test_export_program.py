"""The program of docs/export.md, which runs an exported run without this library."""

import ast
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from keras_mixvit import MixViT, predict
from keras_mixvit.prediction._options import MAX_PIXELS
from keras_mixvit.prediction._pixels import file_pixels
from keras_mixvit.training import export
from tests.helpers import set_weights, tiny_convit
from tests.prediction.files import CLASSES, SHAPE, mode_files, write_run
from tests.test_docs import BLOCK, MARKDOWN

# What the probabilities of another runtime may differ by.
TOLERANCE = 1e-5
PACKAGES = {"json", "sys", "numpy", "onnxruntime", "PIL"}


@pytest.fixture(scope="module")
def program():
    """The text of `classify.py`."""
    (text,) = (
        found["code"]
        for found in BLOCK.finditer(MARKDOWN["docs/export.md"])
        if "RUNS = " in found["code"]
    )
    return text


@pytest.fixture
def functions(program):
    pytest.importorskip("onnxruntime")
    found = {"__name__": "classify"}
    exec(compile(program, "classify.py", "exec"), found)
    return found


def photos(folder):
    """Paths of files of every mode, and of many sizes and orientations."""
    mode_files(folder)
    rng = np.random.default_rng(0)
    sizes = [(30, 17), (5, 90), (16, 12), (8, 6), (301, 200), (7, 6), (64, 64)]
    for i, size in enumerate(sizes):
        smooth = Image.fromarray(rng.integers(0, 256, (4, 4, 3), "uint8"))
        image = smooth.resize(size[::-1], Image.Resampling.BICUBIC)
        image.save(folder / f"size{i}.png")
        exif = Image.Exif()
        exif[0x0112] = i + 2
        image.save(folder / f"turned{i}.jpg", exif=exif)
        image.convert("L").save(folder / f"grey{i}.tiff", exif=exif)
        image.convert("CMYK").save(folder / f"cmyk{i}.jpg")
    return sorted(folder.iterdir())


@pytest.mark.one_backend
def test_the_program_imports_no_keras(program):
    found = set()
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
    assert found == PACKAGES


@pytest.mark.one_backend
@pytest.mark.parametrize("shape", [SHAPE, (8, 6, 1), (12, 20, 3), (128, 144, 3)])
def test_its_bytes_are_those_of_predict(shape, functions, tmp_path):
    files = photos(tmp_path / "photos")
    assert len(files) > 30
    for path in files:
        expected = file_pixels(str(path), shape, MAX_PIXELS)
        assert not isinstance(expected, str), f"{path.name}: {expected}"
        found = functions["prepared"](path, shape)
        np.testing.assert_array_equal(found[0], expected, err_msg=path.name)


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="only TensorFlow writes ONNX"
)
def test_its_probabilities_are_those_of_predict(program, functions, tmp_path):
    runs = []
    for i, temperature in enumerate((0.6, 1.7)):
        backbone = tiny_convit(
            image_shape=SHAPE,
            patch_size=2,
            num_blocks=1,
            mean=[120.0] * 3,
            std=[70.0] * 3,
        )
        model = MixViT(backbone, len(CLASSES))
        set_weights(model, i, scale=0.6)
        model.temperature = temperature
        runs.append(tmp_path / "runs" / ("first", "second")[i])
        write_run(runs[-1], model)
        model.save(runs[-1] / "model.keras")
        export(str(runs[-1]), "onnx", image_dtype="uint8")
    files = [str(path) for path in photos(tmp_path / "photos")]
    from onnxruntime import InferenceSession

    sessions = [InferenceSession(run / "export" / "model.onnx") for run in runs]
    seen = []
    for count in (1, 2):
        if count == 2:
            # Without validation images, each run keeps its own temperature.
            for run in runs:
                (run / "data.npz").unlink()
        found = [functions["probabilities"](sessions[:count], path) for path in files]
        for shares, each in zip(
            found, predict(runs[:count], files, top=4), strict=True
        ):
            assert each.error is None
            given = dict(zip(each.classes, each.probabilities, strict=True))
            expected = [given[name] for name in CLASSES]
            np.testing.assert_allclose(shares, expected, atol=TOLERANCE, rtol=0)
        seen.append(np.array(found))
        # Else constants would pass.
        assert np.ptp(seen[-1], axis=0).max() > 0.05
    assert np.abs(seen[0] - seen[1]).max() > 0.01
    # The whole program, as a reader runs it.
    (tmp_path / "classify.py").write_text(program)
    words = [sys.executable, "classify.py", *files[:3]]
    result = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    for line, shares, path in zip(
        result.stdout.splitlines(), seen[0], files, strict=False
    ):
        best = shares.argmax()
        assert line == f"{path} {CLASSES[best]} {shares[best]:.6f}"
    assert len(result.stdout.splitlines()) == 3
    facts = json.loads((runs[0] / "run.json").read_text())["facts"]
    assert facts["data"]["classes"] == list(CLASSES)
