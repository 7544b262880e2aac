import sys

import keras
import numpy as np
import pytest

from keras_mixvit import load_model
from keras_mixvit.backbones import CaiT, ConViT
from keras_mixvit.data import ImageSet
from keras_mixvit.metrics import accuracy, nll
from keras_mixvit.models import MixViT, SingleNetwork
from keras_mixvit.recipes import Recipe, WarmupStepDecay, backbone_for, train
from keras_mixvit.recipes.checkpoint import Checkpoint
from keras_mixvit.recipes.optimization import not_decayed
from keras_mixvit.recipes.run_folder import new_run_folder
from keras_mixvit.recipes.train import report
from tests.helpers import images, numpy, tiny_cait, tiny_convit
from tests.recipes.tiny_run import write_images


def rates(steps, **changes):
    """Rates of a schedule of 1,500 steps, ten per epoch of the paper."""
    schedule = WarmupStepDecay(**{"learning_rate": 2e-3, "total_steps": 1500} | changes)
    return [float(schedule(step)) for step in steps]


def test_the_rate_rises_linearly_over_the_first_tenth():
    steps = [0, 1, 74, 149]
    expected = [2e-3 * (step + 1) / 150 for step in steps]
    np.testing.assert_allclose(rates(steps), expected, rtol=1e-5)


def test_the_rate_falls_to_a_tenth_at_epochs_125_and_140_of_150():
    found = rates([150, 700, 1249, 1250, 1399, 1400, 1499])
    expected = [2e-3, 2e-3, 2e-3, 2e-4, 2e-4, 2e-5, 2e-5]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_warm_up_falls_and_factor_can_be_chosen():
    found = rates([0, 749, 750, 1499], warmup=0.0, decay_at=[0.5], decay_rate=0.5)
    np.testing.assert_allclose(found, [2e-3, 2e-3, 1e-3, 1e-3], rtol=1e-5)


def test_the_schedule_takes_tensors_of_steps():
    schedule = WarmupStepDecay(1e-3, 100)
    step = keras.ops.convert_to_tensor(50, "int64")
    assert float(schedule(step)) == pytest.approx(1e-3)


def test_the_schedule_survives_its_config_in_an_optimizer():
    schedule = WarmupStepDecay(1e-3, 100, 0.2, (0.5, 0.6), 0.3)
    optimizer = keras.optimizers.AdamW(schedule)
    config = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(config)._learning_rate
    assert isinstance(again, WarmupStepDecay)
    assert again.get_config() == schedule.get_config()
    for step in (0, 49, 50, 60):
        assert float(again(step)) == float(schedule(step))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"learning_rate": 0},
            r"`learning_rate` must be a positive finite number\. "
            r"Received: learning_rate=0",
        ),
        (
            {"total_steps": 0},
            r"`total_steps` must be an integer of at least 1\. "
            r"Received: total_steps=0",
        ),
        ({"warmup": 1}, r"`warmup` must be in \[0, 1\)\. Received: warmup=1"),
        (
            {"decay_rate": 0},
            r"`decay_rate` must be positive\. Received: decay_rate=0",
        ),
    ],
)
def test_wrong_schedules_are_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        rates([], **changes)


@pytest.mark.parametrize("attribution", ["embedding", "encoding", None])
@pytest.mark.parametrize("make", [tiny_convit, tiny_cait])
def test_vectors_do_not_decay_and_matrices_do(make, attribution):
    model = MixViT(
        make(layer_scale=0.1, qkv_bias=True, num_blocks=1, num_class_blocks=1),
        5,
        source_attribution=attribution,
    )
    kept = not_decayed(model)
    decayed = {v.path for v in model.trainable_variables} - {v.path for v in kept}
    vectors = ("bias", "gamma", "beta", "gain", "gate", "token", "embedding")
    for variable in kept:
        assert variable.name.endswith(vectors), variable.path
    for path in decayed:
        assert path.endswith("kernel"), path


def test_the_tokens_and_the_position_table_do_not_decay():
    names = [v.name for v in not_decayed(MixViT(tiny_convit(), 5))]
    for name in ("class_token", "position_embedding", "source_embedding"):
        assert names.count(name) == 1


def test_the_default_folder_is_numbered_where_it_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [new_run_folder(None, "digits-convit-seed0") for _ in range(3)]
    assert [folder.as_posix() for folder in folders] == [
        "runs/digits-convit-seed0",
        "runs/digits-convit-seed0-2",
        "runs/digits-convit-seed0-3",
    ]
    assert all(folder.is_dir() and not any(folder.iterdir()) for folder in folders)


def test_a_given_folder_may_be_new_or_empty(tmp_path):
    folder = new_run_folder(str(tmp_path / "a" / "b"), "unused")
    assert folder == tmp_path / "a" / "b"
    assert new_run_folder(str(folder), "unused") == folder
    assert not any(folder.iterdir())


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    text = r"`output` must be a new or empty folder\. Received: output='"
    with pytest.raises(ValueError, match=text):
        new_run_folder(str(tmp_path), "unused")
    with pytest.raises(ValueError, match=text):
        new_run_folder(str(tmp_path / "mine.txt"), "unused")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    text = (
        r"`output` must be a folder that can be written\. "
        r"Received: output='.*file/run' \(Not a directory\)"
    )
    with pytest.raises(ValueError, match=text):
        new_run_folder(str(tmp_path / "file" / "run"), "unused")


def small_network():
    return SingleNetwork(ConViT((4, 4, 1), 2, 8, 2, 1, 1), num_classes=3)


def test_a_failure_while_saving_leaves_the_model_of_before(tmp_path, monkeypatch):
    model = small_network()
    checkpoint = Checkpoint(tmp_path / "model.keras")
    checkpoint.set_model(model)
    checkpoint.on_train_begin()
    before = (tmp_path / "model.keras").read_bytes()

    def fail(self, path):
        path.write_bytes(b"half a file")
        raise OSError("No space left on device")

    monkeypatch.setattr(SingleNetwork, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.on_epoch_end(0)
    assert (tmp_path / "model.keras").read_bytes() == before
    x = images(2, (4, 4, 1))
    again = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(again(x)), numpy(model(x)), atol=1e-6)


def test_a_checkpoint_holds_the_last_epoch_and_leaves_no_other_file(tmp_path):
    model = small_network()
    checkpoint = Checkpoint(tmp_path / "model.keras")
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0)
    model.heads.bias.assign([[1.0, 2.0, 3.0]])
    checkpoint.on_epoch_end(1)
    again = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy(again.heads.bias), [[1, 2, 3]])
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def image_set(shape):
    x = np.random.default_rng(0).normal(2, 3, (6, *shape)).astype("float32")
    return ImageSet(x, np.arange(6) % 3, ("ant", "bee", "cat"))


@pytest.mark.parametrize(
    ("shape", "patch_size"), [((8, 8, 1), 2), ((32, 32, 3), 4), ((160, 320, 1), 16)]
)
def test_the_patch_size_is_an_eighth_of_the_image(shape, patch_size):
    recipe = Recipe(width=8, num_heads=2, num_blocks=1, num_class_blocks=1)
    assert backbone_for(recipe, image_set(shape)).patch_size == patch_size


@pytest.mark.parametrize(("name", "kind"), [("convit", ConViT), ("cait", CaiT)])
def test_the_backbone_is_what_the_recipe_says(name, kind):
    recipe = Recipe(
        backbone=name,
        patch_size=4,
        width=8,
        num_heads=2,
        num_blocks=1,
        num_class_blocks=3,
        stochastic_depth_rate=0.2,
        seed=5,
    )
    found = image_set((8, 8, 2))
    backbone = backbone_for(recipe, found)
    assert type(backbone) is kind
    mean, std = found.statistics()
    config = backbone.get_config()
    expected = {
        "image_shape": (8, 8, 2),
        "patch_size": 4,
        "width": 8,
        "num_heads": 2,
        "num_blocks": 1,
        "num_class_blocks": 3,
        "stochastic_depth_rate": 0.2,
        "mean": tuple(mean),
        "std": tuple(std),
        "seed": 5,
    }
    assert {name: config[name] for name in expected} == expected


@pytest.mark.parametrize("ensemble_of", ["logits", "probabilities"])
def test_the_report_has_a_row_for_the_ensemble_and_each_subnetwork(ensemble_of):
    backbone = ConViT((8, 8, 1), 4, 8, 2, 1, 1)
    model = MixViT(backbone, 3, num_subnetworks=3, ensemble_of=ensemble_of)
    found = image_set((8, 8, 1))
    rows = report(model, found, 1.26)
    assert [row["model"] for row in rows] == [
        "mixvit ensemble",
        "mixvit subnetwork 0",
        "mixvit subnetwork 1",
        "mixvit subnetwork 2",
    ]
    assert [row["parameters"] for row in rows] == [model.count_params()] + [None] * 3
    assert [row["seconds"] for row in rows] == [1.3, None, None, None]
    expected = nll(numpy(model(found.images)), found.labels)
    assert rows[0]["nll"] == pytest.approx(expected, rel=1e-5)
    members = numpy(model.inference_network(found.images))
    for m, row in enumerate(rows[1:]):
        assert row["accuracy"] == accuracy(members[:, m], found.labels)
        expected = nll(members[:, m], found.labels)
        assert row["nll"] == pytest.approx(expected, rel=1e-5)


def recorded_sets(monkeypatch, path, output):
    """Labels of the sets that `train` validates on and reports about."""
    module = sys.modules["keras_mixvit.recipes.train"]
    used = []

    def fit(model, dataset, validation, place, recipe, verbose):
        used.append(len(validation.labels))
        return 0.0

    def tell(model, test, seconds):
        used.append(len(test.labels))
        return []

    monkeypatch.setattr(module, "_fit", fit)
    monkeypatch.setattr(module, "report", tell)
    monkeypatch.setattr(module, "has_matplotlib", lambda: False)
    recipe = Recipe(
        data=path,
        width=8,
        num_heads=2,
        num_blocks=1,
        num_class_blocks=1,
        batch_size=8,
    )
    train(recipe, str(output), single=False, verbose=0)
    return used


@pytest.mark.parametrize(
    ("missing", "used"), [((), [4, 12]), (("val",), [12, 12]), (("test",), [4, 4])]
)
def test_a_missing_split_is_replaced_by_the_other(missing, used, tmp_path, monkeypatch):
    whole = dict(np.load(write_images(tmp_path / "whole.npz")))
    arrays = {name: x for name, x in whole.items() if not name.endswith(missing)}
    np.savez(tmp_path / "mine.npz", **arrays)
    output = tmp_path / "run"
    assert recorded_sets(monkeypatch, str(tmp_path / "mine.npz"), output) == used


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        (("train",), r"`name` must be an \.npz file with the arrays x_train and y_tr"),
        (
            ("val", "test"),
            r"`data` must have a validation or a test split\. "
            r"Received: data='.*mine\.npz'",
        ),
    ],
)
def test_a_set_without_what_training_needs_is_refused(missing, text, tmp_path):
    whole = dict(np.load(write_images(tmp_path / "whole.npz")))
    arrays = {name: x for name, x in whole.items() if not name.endswith(missing)}
    arrays["y_train"] = whole["y_train"]
    np.savez(tmp_path / "mine.npz", **arrays)
    recipe = Recipe(data=str(tmp_path / "mine.npz"))
    with pytest.raises(ValueError, match=text):
        train(recipe, str(tmp_path / "run"), verbose=0)
    assert not (tmp_path / "run").exists()
