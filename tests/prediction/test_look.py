"""What a page shows of an image, against `predict` and plain NumPy."""

import re
import sys

import numpy as np
import pytest
from PIL import Image

from keras_mixvit.prediction import predict
from keras_mixvit.prediction._look import Looker
from keras_mixvit.prediction._options import Options
from tests.prediction.files import (
    CLASSES,
    SHAPE,
    linear,
    pictures,
    png_bytes,
    softmax,
    subnetwork_logits,
    write_run,
)

SOURCES = sys.modules["keras_mixvit.prediction._sources"]


@pytest.fixture
def runs(monkeypatch, tmp_path):
    """Folders of two runs, and their models."""
    models = {"a": linear(0), "b": linear(1, members=1)}
    models["a"].temperature = 1.7
    monkeypatch.setattr(SOURCES, "load_model", lambda file: models[file.parent.name])
    for name, model in models.items():
        write_run(tmp_path / name, model)
    return [tmp_path / name for name in models], models


def test_a_look_holds_what_predict_says_of_the_same_file(runs, tmp_path):
    (folder, _), models = runs
    file = tmp_path / "photo.png"
    Image.fromarray(pictures(1, (30, 17, 3))[0]).save(file)
    looker = Looker(folder, Options(top=2, sets=0.2))
    found = looker.look(str(file))
    (expected,) = predict(folder, file, top=2, sets=0.2)
    assert found.prediction == type(expected)(
        **{**vars(expected), "image": "photo.png"}
    )
    assert found.pixels.shape == SHAPE
    # The pixels that it shows are those that it predicted.
    (again,) = predict(folder, found.pixels[None], top=2)
    assert again.probabilities == expected.probabilities
    shares = softmax(subnetwork_logits(models["a"], found.pixels[None])[0] / 1.7)
    assert [each.name for each in found.said] == ["subnetwork 0", "subnetwork 1"]
    assert [each.answer for each in found.said] == [
        CLASSES[k] for k in shares.argmax(1)
    ]
    np.testing.assert_allclose(
        [each.probability for each in found.said], shares.max(axis=1), 1e-5
    )
    assert found.maps == ()
    assert looker.notes == ["This model has no attention maps."]


def test_a_look_of_several_runs_names_them(runs, tmp_path):
    folders, models = runs
    file = tmp_path / "photo.png"
    file.write_bytes(png_bytes(pictures(1)[0]))
    looker = Looker(folders, Options())
    found = looker.look(str(file))
    (expected,) = predict(folders, file)
    assert found.prediction.probabilities == expected.probabilities
    assert [each.name for each in found.said] == [
        *("run 1, subnetwork 0", "run 1, subnetwork 1", "run 2, network")
    ]
    # The subnetworks have the temperature of their mean, as the answer has.
    temperature = looker.network.temperature
    assert temperature is not None
    shares = softmax(subnetwork_logits(models["b"], pictures(1))[0, 0] / temperature)
    assert found.said[2].probability == pytest.approx(shares.max(), rel=1e-5)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"no image", "cannot identify image file 'photo.png'"),
        (b"", "cannot identify image file 'photo.png'"),
        (png_bytes(pictures(1)[0])[:60], "file is truncated|broken|identify"),
    ],
)
def test_a_damaged_file_is_an_error_without_its_folder(content, error, tmp_path):
    file = tmp_path / "photo.png"
    file.write_bytes(content)
    found = Looker(linear(), Options()).look(str(file))
    assert re.search(error, found.prediction.error)
    assert str(tmp_path) not in found.prediction.error
    assert found.pixels is None
    assert (found.said, found.maps) == ((), ())


def test_a_file_of_too_many_pixels_is_not_decoded(tmp_path):
    file = tmp_path / "large.png"
    Image.new("L", (10_000, 10_000)).save(file)
    found = Looker(linear(), Options()).look(str(file))
    assert found.prediction.error == (
        "Image files must have at most 89,478,485 pixels; `max_pixels`, or "
        "--max-pixels, allows more. Received: width=10000, height=10000"
    )


def test_a_run_of_arrays_of_floats_takes_no_files(runs, monkeypatch):
    (folder, _), _ = runs
    text = (folder / "run.json").read_text()
    (folder / "run.json").write_text(text.replace('"uint8"', '"float32"'))
    text = (
        "`run` must have been trained on grey or RGB images of bytes: a page takes "
        "image files, whose values are 0 to 255. Received: dtype='float32', channels=3"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        Looker(folder, Options())


def test_what_is_missing_is_noted_and_told(tmp_path):
    told = []
    looker = Looker(linear(), Options(), tell=told.append)
    assert told == looker.notes[:1]
    assert told[0].startswith("Probabilities are not calibrated: ")
