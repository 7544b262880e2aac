import csv
import io
import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from keras_mixvit import MixViT
from keras_mixvit.cli._main import main
from keras_mixvit.prediction import predict
from tests.cli.processes import environment, told
from tests.cli.test_closed_pipe import unread
from tests.helpers import set_weights, tiny_convit
from tests.prediction.files import CLASSES, SHAPE, pictures, write_run

pytestmark = pytest.mark.one_backend

PLAIN = (
    "keras-mixvit: Probabilities are not calibrated: `keras-mixvit evaluate RUN "
    "--calibrate` fits a temperature and saves it.\n"
)


def real_model(seed):
    """A small MixViT with weights of a seed."""
    backbone = tiny_convit(image_shape=SHAPE, patch_size=2, num_blocks=1, std=[99] * 3)
    model = MixViT(backbone, len(CLASSES))
    set_weights(model, seed)
    return model


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with a real model, and a folder of photos, one of them damaged."""
    base = tmp_path_factory.mktemp("predicted")
    backbone = tiny_convit(
        image_shape=SHAPE, patch_size=2, num_blocks=1, std=[99.0] * 3
    )
    model = MixViT(backbone, len(CLASSES))
    set_weights(model)
    write_run(base / "run", model)
    model.save(base / "run" / "model.keras")
    photos = base / "photos"
    photos.mkdir()
    for i, pixels in enumerate(pictures(5, (20, 16, 3))):
        Image.fromarray(pixels).save(photos / f"{i}.png")
    (photos / "bad.jpg").write_text("no image")
    np.savez(base / "mine.npz", pictures(3))
    return SimpleNamespace(run=str(base / "run"), photos=str(photos), base=base)


def ran(capsys, *words):
    status = main(["predict", *map(str, words)])
    found = capsys.readouterr()
    return status, found.out, found.err


def test_photos_are_told_in_a_table(made, capsys):
    status, out, err = ran(capsys, made.run, made.photos, "--sets", "0.2")
    assert status == 3
    bad = f"{made.photos}/bad.jpg: cannot identify image file '{made.photos}/bad.jpg'"
    assert err == (
        f"{PLAIN}keras-mixvit: {bad}\nkeras-mixvit: 1 of 6 images have no prediction.\n"
    )
    lines = out.splitlines()
    assert lines[0].split() == [
        *("image", "class", "class", "2", "class", "3", "entropy", "mutual", "inf."),
        *("disagree", "unlike", "training", "set"),
    ]
    assert len(lines) == 7
    assert f"{made.photos}/bad.jpg" in lines[6]


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
def test_programs_read_what_python_finds(format, made, capsys, tmp_path):
    expected = [
        each.to_dict() for each in predict(made.run, made.photos, top=2, sets=0.2)
    ]
    options = ("--top=2", "--sets=0.2", "--batch-size=2", "--workers=1")
    words = (made.run, made.photos, f"--format={format}", *options)
    status, out, _ = ran(capsys, *words)
    assert status == 3
    if format == "csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        for row, each in zip(rows, expected, strict=True):
            assert row["image"] == each["image"]
            assert row["error"] == (each["error"] or "")
            if each["error"] is None:
                assert row["class_1"] == each["top"][0]["class"]
                share = each["top"][1]["probability"]
                assert float(row["probability_2"]) == pytest.approx(share, abs=2e-6)
                assert row["prediction_set"] == "|".join(each["prediction_set"])
    else:
        lines = out.splitlines()
        found = json.loads(out) if format == "json" else [*map(json.loads, lines)]
        for one, other in zip(found, expected, strict=True):
            assert list(one) == list(other)
            for name in ("image", "unlike_training", "prediction_set", "error"):
                assert one[name] == other[name]
            assert one["entropy"] == pytest.approx(other["entropy"], abs=2e-6)
    # The suffix of a file says the format.
    output = tmp_path / f"found.{format}"
    words = (made.run, made.photos, "--output", output, *options)
    assert ran(capsys, *words)[:2] == (3, "")
    assert output.read_text() == out


def test_images_that_can_be_read_end_well(made, capsys):
    words = (made.run, f"{made.base}/mine.npz", f"{made.photos}/1.png")
    status, out, err = ran(capsys, *words, "--format=jsonl", "--temperature=1")
    assert (status, err) == (0, "")
    names = [json.loads(line)["image"] for line in out.splitlines()]
    arrays = [f"{made.base}/mine.npz[{i}]" for i in range(3)]
    assert names == [*arrays, f"{made.photos}/1.png"]


def test_two_runs_are_one_ensemble(made, capsys, tmp_path):
    backbone = tiny_convit(
        image_shape=SHAPE, patch_size=2, num_blocks=1, std=[99.0] * 3
    )
    model = MixViT(backbone, len(CLASSES))
    set_weights(model, 1)
    write_run(tmp_path / "b", model)
    model.save(tmp_path / "b" / "model.keras")
    words = (made.run, tmp_path / "b", made.base / "mine.npz", "--format=json")
    _, out, _ = ran(capsys, *words, "--top=4")
    expected = predict([made.run, tmp_path / "b"], pictures(3), top=4)
    for one, other in zip(json.loads(out), expected, strict=True):
        assert [pair["class"] for pair in one["top"]] == list(other.classes)
        shares = [pair["probability"] for pair in one["top"]]
        np.testing.assert_allclose(shares, other.probabilities, atol=2e-6)


def test_a_network_of_floats_takes_arrays_alone(command_run, made, capsys, tmp_path):
    x = np.random.default_rng(1).random((2, 8, 8, 1)).astype("float32")
    np.savez(tmp_path / "x.npz", x)
    # It stores what it finds about the validation images in the folder of the run.
    run = shutil.copytree(command_run.folder, tmp_path / "run")
    status, out, _ = ran(capsys, run, tmp_path / "x.npz", "--format=csv")
    assert status == 0
    (row, _) = csv.DictReader(io.StringIO(out))
    assert row["class_1"] in ("ant", "bee", "cat")
    assert row["unlike_training"] in ("true", "false")
    status, out, err = ran(capsys, run, f"{made.photos}/1.png")
    assert (status, out) == (1, "")
    text = "keras-mixvit: `images` must be arrays, on the scale of the training"
    assert err.startswith(text)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["x", "y.png"], "`run` must hold a model.keras. Received: run='x'"),
        (["x"], "`run` must hold a model.keras. Received: run='x'"),
        (["RUN"], "`images` must name an image file, a folder or an .npz file, after "),
        (
            ["RUN", "x.png"],
            "`images` must be image files, folders or .npz files that",
        ),
        (["RUN", "x.keras"], "`run` must hold a model.keras. Received: run='x.keras'"),
        (
            ["RUN", "PHOTOS", "RUN"],
            "`runs` must come before `images`; a folder with",
        ),
        (["RUN", "PHOTOS", "--top=0"], "`top` must be an integer of at least 1. Rec"),
        (["RUN", "PHOTOS", "--sets=1"], "`sets` must be a rate in (0, 1), at which se"),
        (["RUN", "PHOTOS", "--sets=nan"], "`sets` must be a rate in (0, 1), at which "),
        (["RUN", "PHOTOS", "--temperature=0"], "`temperature` must be a positive fini"),
        (["RUN", "PHOTOS", "--workers=-1"], "`workers` must be an integer of at least"),
        (["RUN", "PHOTOS", "--max-pixels=0"], "`max_pixels` must be an integer of at"),
        (["RUN", "PHOTOS", "--output=no/x"], "`output` must be a file in a folder th"),
        (["RUN", "PHOTOS", "--output=."], "`output` must be a file in a folder that e"),
        (["RUN", "NPZ", "--output=NPZ"], "`output` must not be one of the files of im"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(words, text, made, capsys, monkeypatch):
    places = {"RUN": made.run, "PHOTOS": made.photos, "NPZ": f"{made.base}/mine.npz"}
    monkeypatch.chdir(made.base)
    for name, place in places.items():
        words = [word.replace(name, place) for word in words]
    status, out, err = ran(capsys, *words)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"keras-mixvit: {text}")


def test_what_is_not_there_is_told_without_a_backend():
    status, out, errors, imported = told("predict", "x", "y", KERAS_BACKEND="")
    assert (status, out, imported) == (1, "", "[]")
    assert errors[0].startswith("keras-mixvit: `run` must hold a model.keras.")


def test_a_folder_without_images_is_one_sentence(made, capsys, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    status, out, err = ran(capsys, made.run, tmp_path)
    assert (status, out) == (1, "")
    text = f"`images` must hold image files. Received: images='{tmp_path}'"
    assert err == f"keras-mixvit: {text}\n"


def test_a_closed_pipe_ends_a_prediction_silently(made):
    words = ("predict", made.run, f"{made.base}/mine.npz", "--temperature=1")
    assert unread(*words) == (141, "")


def test_head_takes_what_it_wants(made, tmp_path):
    np.savez(tmp_path / "many.npz", pictures(3000))
    words = ["predict", made.run, str(tmp_path / "many.npz"), "--format=csv"]
    command = [sys.executable, "-m", "keras_mixvit.cli", *words, "--temperature=1"]
    with subprocess.Popen(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        process.stdout.close()
        err = process.stderr.read()
        status = process.wait(60)
    assert lines[0].startswith("image,class_1,")
    assert [line.split(",")[0][-3:] for line in lines[1:]] == ["[0]", "[1]"]
    assert (status, err) == (141, "")
