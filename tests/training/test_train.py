import numpy as np
import pytest

from keras_mixvit.backbones import CaiT, ConViT
from keras_mixvit.data import ImageSet
from keras_mixvit.models import MixViT
from keras_mixvit.recipes import Recipe, backbone_for
from keras_mixvit.recipes._optimization import not_decayed
from keras_mixvit.training._run_folder import new_run_folder
from tests.helpers import tiny_cait, tiny_convit


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
        r"`output` must be a writable folder\. "
        r"Received: output='.*file/run' \(Not a directory\)"
    )
    with pytest.raises(ValueError, match=text):
        new_run_folder(str(tmp_path / "file" / "run"), "unused")


def image_set(shape):
    x = np.random.default_rng(0).normal(2, 3, (6, *shape)).astype("float32")
    return ImageSet(x, np.arange(6) % 3, ("ant", "bee", "cat"))


@pytest.mark.parametrize(
    ("shape", "patch_size"), [((8, 8, 1), 2), ((32, 32, 3), 4), ((160, 320, 1), 16)]
)
def test_the_patch_size_is_an_eighth_of_the_image(shape, patch_size):
    recipe = Recipe(
        backbone={"width": 8, "num_heads": 2, "num_blocks": 1, "num_class_blocks": 1}
    )
    assert backbone_for(recipe, image_set(shape)).patch_size == patch_size


@pytest.mark.parametrize(("name", "kind"), [("convit", ConViT), ("cait", CaiT)])
def test_the_backbone_is_what_the_recipe_says(name, kind):
    recipe = Recipe(
        backbone={
            "name": name,
            "patch_size": 4,
            "width": 8,
            "num_heads": 2,
            "num_blocks": 1,
            "num_class_blocks": 3,
            "stochastic_depth_rate": 0.2,
        },
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
