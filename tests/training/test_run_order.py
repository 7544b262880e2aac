"""Which trainings a run has, and which of them a resumed one repeats."""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from keras_mixvit import load_model, recipes
from keras_mixvit.recipes import Recipe, model_for, read_recipe
from keras_mixvit.training import resume, train
from keras_mixvit.training._run_settings import RunSettings
from keras_mixvit.training._train import with_whole_paths
from tests.tiny_run import write_images

pytestmark = pytest.mark.one_backend

FINISH = sys.modules["keras_mixvit.training._finish"]
RESUME = sys.modules["keras_mixvit.training._resume"]
SMALL = {
    "backbone.width": 8,
    "backbone.num_heads": 2,
    "backbone.num_blocks": 1,
    "backbone.num_class_blocks": 1,
    "backbone.patch_size": 4,
    "batch_size": 8,
}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Runs whose trainings only save a model, up to one that fails."""
    lists = ("names", "seeds", "told", "trained", "validated", "held_out", "chooses")
    calls = SimpleNamespace(fail_at=None, **{name: [] for name in lists})

    def fit(recipe, images, validation, folder, *args, steps_per_execution=None):
        calls.names.append(folder.name)
        calls.seeds.append(recipe.seed)
        calls.trained.append(len(images.labels))
        calls.validated.append(len(validation.labels))
        calls.held_out.append(np.asarray(validation.images))
        calls.chooses.append(args[-1])
        if folder.name == calls.fail_at:
            raise OSError("the disk is full")
        model = model_for(recipe, images)
        model.save(folder / "model.keras")
        best = {"epoch": 0, "val_accuracy": 0.5} if args[-1] else None
        return model, SimpleNamespace(best=best, seconds=2.0)

    def rows_of(model, images, seconds, name=None):
        calls.validated.append(len(images.labels))
        row = {"parameters": 1, "accuracy": 0.5, "nll": 1.0, "seconds": seconds}
        return [{"model": name or model.name, **row}]

    monkeypatch.setattr(FINISH, "fit", fit)
    monkeypatch.setattr(FINISH, "rows_of", rows_of)
    monkeypatch.setattr(FINISH, "draw_figures", lambda *args: None)
    calls.data = write_images(tmp_path / "three.npz")
    calls.folder = str(tmp_path / "run")

    def begin(single=True, single_cutmix=False, **changes):
        recipe = Recipe().with_settings({"data": calls.data, **SMALL, **changes})
        options = {"tell": calls.told.append, "single_cutmix": single_cutmix}
        return train(recipe, calls.folder, single, **options)

    calls.begin = begin
    calls.resume = lambda: resume(calls.folder, tell=calls.told.append)
    return calls


def test_trainings_that_are_finished_are_not_repeated(runs):
    runs.fail_at = "run"
    with pytest.raises(OSError, match="the disk is full"):
        runs.begin()
    assert runs.names == ["single", "run"]
    runs.fail_at = None
    _, rows = runs.resume()
    assert runs.names == ["single", "run", "run"]
    assert [row["model"] for row in rows] == ["single_network", "mixvit"]
    # Nor is anything, once it is over.
    assert runs.resume() == runs.resume()
    assert len(runs.names) == 3
    assert runs.told[-1] == "There is nothing to resume: the run is finished."


def test_members_are_trained_one_after_the_other_and_make_an_ensemble(runs):
    runs.fail_at = "member-1"
    with pytest.raises(OSError, match="the disk is full"):
        runs.begin(num_members=2, seed=3, single=False)
    runs.fail_at = None
    folder, rows = runs.resume()
    assert runs.names == ["member-0", "member-1", "member-1"]
    assert runs.seeds == [6, 7, 7]
    assert [row["model"] for row in rows] == ["mixvit", "mixvit", "ensemble"]
    assert rows[-1]["seconds"] == 4.0
    ensemble = load_model(folder / "model.keras")
    assert len(ensemble.models) == 2
    result = json.loads((folder / "result.json").read_text())
    assert {name: t["seed"] for name, t in result["trainings"].items()} == {
        "member-0": 6,
        "member-1": 7,
    }


def test_a_single_network_is_not_trained_twice(runs):
    runs.begin(method="single", pixel_mixing="cutmix", single_cutmix=True)
    assert runs.names == ["run"]


def test_a_baseline_that_has_cutmix_is_not_trained_twice(runs):
    runs.begin(pixel_mixing="cutmix", single_cutmix=True)
    assert runs.names == ["single", "run"]


def test_the_single_network_with_cutmix_is_trained_where_it_is_another(runs):
    folder, rows = runs.begin(single_cutmix=True)
    assert runs.names == ["single", "single-cutmix", "run"]
    names = ["single_network", "single_network + CutMix", "mixvit"]
    assert [row["model"] for row in rows] == names
    assert RunSettings.read(folder).single_cutmix
    result = json.loads((folder / "result.json").read_text())
    assert list(result["trainings"]) == ["single", "single-cutmix", "."]


def test_a_scaled_run_says_so(runs):
    folder, _ = runs.begin(single=False, epoch_scale=0.5)
    assert json.loads((folder / "result.json").read_text())["scaled"] is True
    assert RunSettings.read(folder).recipe.epoch_scale == 0.5


def ended(runs, **changes):
    runs.fail_at = "run"
    with pytest.raises(OSError, match="the disk is full"):
        runs.begin(single=False, **changes)
    runs.fail_at = None


@pytest.mark.parametrize("name", ["x_train", "y_val"])
def test_other_images_are_refused(name, runs):
    ended(runs)
    arrays = dict(np.load(runs.data))
    arrays[name] = arrays[name][::-1]
    np.savez(runs.data, **arrays)
    text = r"`run` must be resumed with the same images; labels, shapes "
    with pytest.raises(ValueError, match=text + r"or pixels have changed\. Rec"):
        runs.resume()


def test_another_backend_and_other_versions_are_told(runs, monkeypatch):
    ended(runs)
    facts = RESUME.facts

    def changed(sets, parallel):
        found = facts(sets, parallel)
        versions = {**found["versions"], "keras": "99.0"}
        return {**found, "backend": "other", "versions": versions}

    monkeypatch.setattr(RESUME, "facts", changed)
    before = RunSettings.read(RESUME.Path(runs.folder)).facts
    runs.resume()
    assert runs.told[-3:-1] == [
        f"The run began on {before['backend']} and continues on other: its "
        "results will differ slightly from those of an uninterrupted run.",
        "The run began with other versions: keras "
        f"{before['versions']['keras']} is 99.0 now.",
    ]


@pytest.mark.parametrize("name", ["recipe.toml", "run.json"])
def test_what_is_no_run_is_not_resumed(name, runs):
    ended(runs)
    (RESUME.Path(runs.folder) / name).write_text("{")
    text = f"`run` must be the folder of a run, with an intact {name}. Received: run="
    with pytest.raises(ValueError, match=re.escape(text)):
        runs.resume()


ROLES = [
    # Splits that are missing, protocol, images to train on, watched, judged.
    ((), "validation", 16, 4, 12),
    (("test",), "validation", 16, 4, 4),
    (("val",), "validation", 14, 2, 12),
    (("val", "test"), "validation", 14, 2, 2),
    ((), "paper", 16, 12, 12),
    (("val",), "paper", 16, 12, 12),
    (("test",), "paper", 16, 4, 4),
]


@pytest.mark.parametrize(("missing", "protocol", "trained", "watched", "judged"), ROLES)
def test_every_split_has_its_role(missing, protocol, trained, watched, judged, runs):
    whole = dict(np.load(runs.data))
    np.savez(runs.data, **{k: x for k, x in whole.items() if not k.endswith(missing)})
    folder, _ = runs.begin(single=False, **{"data.protocol": protocol})
    assert runs.trained == [trained]
    assert runs.validated == [watched, judged]
    assert runs.chooses == [protocol == "validation"]
    assert runs.told[0].startswith(f"Protocol {protocol!r}: ")
    assert ("of the 16 training images" in runs.told[0]) == (trained == 14)
    result = json.loads((folder / "result.json").read_text())
    assert result["judged_on"] == ("val" if "test" in missing else "test")
    best = result["trainings"]["."]["best"]
    assert (best is None) == (protocol == "paper")
    assert best is None or best["selected_on"] == "val"


@pytest.mark.parametrize("name", ["recipe.json", "options.json"])
def test_a_run_of_a_former_version_is_refused(name, runs):
    ended(runs)
    (Path(runs.folder) / "recipe.toml").rename(Path(runs.folder) / name)
    text = (
        r"`run` must hold a recipe\.toml\. This run is of version 0\.1, whose recipes "
        r"had other fields: train it again, or use keras_mixvit 0\.1\. Received: run='"
    )
    with pytest.raises(ValueError, match=text):
        runs.resume()


def test_the_file_of_a_run_trains_it_again(runs):
    runs.begin(single=False, seed=5)
    again = read_recipe(str(Path(runs.folder) / "recipe.toml"))
    assert again == RunSettings.read(Path(runs.folder)).recipe
    assert (again.seed, again.backbone.options["width"]) == (5, 8)


def test_a_share_for_validation_is_refused_where_there_is_a_split(runs, tmp_path):
    text = r"`data\.val_share` must not be set for a set that has a validation split\. "
    with pytest.raises(ValueError, match=text):
        runs.begin(**{"data.val_share": 0.2})
    assert not (tmp_path / "run").exists()


def test_all_networks_of_a_run_hold_out_the_same_images(runs):
    whole = dict(np.load(runs.data))
    np.savez(runs.data, **{k: x for k, x in whole.items() if not k.endswith("val")})
    runs.begin(num_members=2, seed=3, **{"data.val_share": 0.25})
    assert runs.trained == [12] * 3
    held_out = runs.held_out
    assert len(held_out) == 3
    for images in held_out[1:]:
        np.testing.assert_array_equal(images, held_out[0])


@pytest.mark.parametrize(
    ("missing", "protocol", "text"),
    [
        (
            ("train",),
            "validation",
            r"`data\.name` must be an \.npz file with the arrays x_trai",
        ),
        (
            ("val", "test"),
            "paper",
            r"`data` must have a validation or a test split with the protocol 'paper'"
            r"\. Received: data='.*three\.npz'",
        ),
    ],
)
def test_a_set_without_what_training_needs_is_refused(
    missing, protocol, text, runs, tmp_path
):
    whole = dict(np.load(runs.data))
    arrays = {name: x for name, x in whole.items() if not name.endswith(missing)}
    np.savez(runs.data, **{**arrays, "y_train": whole["y_train"]})
    with pytest.raises(ValueError, match=text):
        runs.begin(**{"data.protocol": protocol})
    assert not (tmp_path / "run").exists()


def test_a_folder_named_like_a_set_does_not_replace_it(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cifar100" / "train" / "ant").mkdir(parents=True)
    recipe = recipes.recipe("mixvit-convit")
    assert with_whole_paths(recipe, None) == (recipe, None)
    local = recipe.with_settings({"data": "./cifar100"})
    (found, _) = with_whole_paths(local, None)
    assert found.data.name == str(tmp_path / "cifar100")
    (tmp_path / "digits").mkdir()
    recipe = Recipe(epochs=1).with_settings(SMALL)
    train(recipe, runs.folder, False, tell=runs.told.append)
    assert RunSettings.read(Path(runs.folder)).recipe.data.name == "digits"
    assert runs.validated == [297, 500]
    text = "'digits' is the data set of that name; write './digits' for the file or "
    assert runs.told[0] == f"{text}folder here."
