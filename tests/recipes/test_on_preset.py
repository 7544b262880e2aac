"""Recipes that start from pretrained weights."""

import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_mixvit import (
    CaiT,
    KerasBackbone,
    MixViT,
    SingleNetwork,
    ViT,
    WideResNet,
)
from keras_mixvit.cli import main
from keras_mixvit.data import ImageSet, load
from keras_mixvit.models import load_model
from keras_mixvit.optimizers import LayerwiseAdamW, LayerwiseSGD
from keras_mixvit.recipes import Recipe, backbone_for, model_for, optimizer_for
from keras_mixvit.recipes._chosen_recipe import chosen_recipe
from keras_mixvit.recipes._on_preset import on_preset
from keras_mixvit.recipes._recipe_file import read_recipe, recipe_text
from keras_mixvit.training._run_figures import mixed_figure
from keras_mixvit.training._train import with_whole_paths
from tests.convert.files import save_model
from tests.convert.hub_cases import BYTES
from tests.helpers import set_weights
from tests.tiny_run import make_eager, write_images

pytestmark = pytest.mark.one_backend
BACKBONES = {
    "cait": lambda: CaiT((8, 8, 1), 4, 16, 4, num_blocks=1, num_class_blocks=1),
    "vit": lambda: ViT((8, 8, 1), 4, 16, 4, num_blocks=3),
    "wide_resnet": lambda: WideResNet((8, 8, 1), 10, 1),
}


def some_images(side=8, channels=1, classes=4):
    pixels = np.random.default_rng(0).integers(0, 255, (8, side, side, channels))
    names = [f"class {k}" for k in range(classes)]
    return ImageSet(pixels.astype("uint8"), np.arange(8) % classes, names)


def saved(kind, folder):
    model = SingleNetwork(BACKBONES[kind](), 3, temperature=2.0)
    set_weights(model)
    model.save_to_preset(folder)
    return model


def arrays(model):
    return {v.path: keras.ops.convert_to_numpy(v) for v in model.weights}


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("cait", "mixvit"),
        ("vit", "mixvit"),
        ("wide_resnet", "cut_mixmo"),
        ("wide_resnet", "manifold_mixup"),
        ("cait", "single"),
    ],
)
def test_the_network_starts_from_the_weights(kind, method, tmp_path):
    single = saved(kind, tmp_path / "preset")
    start = Recipe(method=method, backbone=kind)
    recipe, remarks = on_preset(start, tmp_path / "preset")
    assert recipe.backbone.name == kind
    assert recipe.learning_rate == pytest.approx(0.1 * start.learning_rate)
    model = model_for(recipe, some_images())
    assert (model.num_classes, model.temperature) == (4, 1.0)
    old, new = arrays(single), arrays(model)
    for path in old:
        if not path.startswith("heads/"):
            np.testing.assert_array_equal(new[path], old[path])
    assert type(backbone_for(recipe, some_images())) is type(single.backbone)
    baseline = model_for(recipe.baseline(), some_images())
    assert isinstance(baseline, SingleNetwork)
    np.testing.assert_array_equal(arrays(baseline)["norm/gamma"], old["norm/gamma"])
    assert remarks[0].startswith(f"The network starts from {tmp_path / 'preset'}, a ")


def test_a_recipe_file_keeps_the_preset(tmp_path, monkeypatch):
    saved("cait", tmp_path / "preset")
    monkeypatch.chdir(tmp_path)
    recipe, _ = chosen_recipe(preset="./preset", settings=["backbone.epsilon=1e-5"])
    assert recipe.preset == "./preset"
    # Another working directory finds it, too.
    assert with_whole_paths(recipe, None)[0].preset == str(tmp_path / "preset")
    named = recipe.replace(preset="timm/cait_xxs24_224.fb_dist_in1k")
    assert with_whole_paths(named, None)[0] == named
    Path("mine.toml").write_text(recipe_text(recipe))
    assert read_recipe("mine.toml") == recipe
    assert model_for(recipe, some_images()).backbone.get_config()["epsilon"] == 1e-5


def test_images_get_the_size_of_the_preset(tmp_path):
    saved("cait", tmp_path / "preset")
    for data, size in (("digits", None), ("cifar10", 8)):
        recipe, remarks = on_preset(Recipe(), tmp_path / "preset", data)
        assert recipe.data.image_size == size
        assert any("resized to 8 x 8" in text for text in remarks) == (size == 8)
    own = Recipe(data={"name": "cifar10", "image_size": 16})
    recipe, _ = on_preset(own, tmp_path / "preset")
    assert recipe.data.image_size == 16
    model = model_for(recipe, some_images(side=16))
    assert model.image_shape == (16, 16, 1)


def test_a_network_of_timm_names_its_backbone(tmp_path):
    folder = save_model(tmp_path / "timm", BYTES)
    recipe, remarks = on_preset(Recipe(), folder)
    assert recipe.backbone.name == "cait_xxs24"
    assert recipe.data.image_size == 32
    assert "a cait_xxs24." in remarks[0]


def test_what_the_weights_decide_is_refused():
    with pytest.raises(
        ValueError, match=r"^`backbone\.patch_size` must not be set with"
    ):
        Recipe(preset="./mine", backbone={"name": "cait", "patch_size": 2})
    recipe = Recipe(preset="./mine", backbone="cait", width_scale=0.5)
    with pytest.raises(ValueError, match=r"^`width_scale` must not be set with a"):
        model_for(recipe, some_images())


def test_another_backbone_is_refused(tmp_path):
    saved("vit", tmp_path / "preset")
    recipe = Recipe(preset=str(tmp_path / "preset"), backbone="convit")
    message = (
        "`backbone` must be that of the preset. Received: backbone='convit', "
        "preset='ViT'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model_for(recipe, some_images())


def test_images_of_other_channels_are_refused(tmp_path):
    saved("cait", tmp_path / "preset")
    recipe, _ = on_preset(Recipe(), tmp_path / "preset")
    with pytest.raises(ValueError, match="must take images of 3 channels"):
        model_for(recipe, some_images(channels=3))


def test_a_backbone_without_a_recipe_is_refused(tmp_path):
    x = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, padding="same", name="first")(x)
    y = keras.layers.Conv2D(6, 3, padding="same")(y)
    backbone = KerasBackbone(keras.Model(x, y), grid="first")
    SingleNetwork(backbone, 3).save_to_preset(tmp_path / "preset")
    message = (
        "`preset` must have a backbone that a recipe describes: ConViT, CaiT, ViT, "
        "WideResNet, PreActResNet, ResNet. Received: "
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        on_preset(Recipe(), tmp_path / "preset")


def test_a_preset_of_subnetworks_does_not_become_a_single_network(tmp_path):
    MixViT(BACKBONES["cait"](), 3).save_to_preset(tmp_path / "preset")
    recipe, _ = on_preset(Recipe(method="single"), tmp_path / "preset")
    with pytest.raises(ValueError, match="must be a preset of SingleNetwork"):
        model_for(recipe, some_images())


def test_the_command_trains_resumes_and_exports_it(tmp_path, monkeypatch, capsys):
    saved("cait", tmp_path / "preset")
    data = write_images(tmp_path / "three.npz")
    make_eager(monkeypatch)
    words = ["train", f"--set=data={data}", "--set=batch_size=8", "--set=epochs=1"]
    out, preset = str(tmp_path / "out"), str(tmp_path / "preset")
    # A rate so small that the weights stay.
    rate = "--set=schedule.learning_rate=1e-30"
    given = [*words, rate, "--set=optimizer.weight_decay=0", "--single"]
    assert main([*given, f"--preset={preset}", f"--output={out}"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"The network starts from {preset}, a cait." in text
    old = arrays(SingleNetwork.from_preset(preset))
    for place in ("", "single"):
        new = arrays(load_model(tmp_path / "out" / place / "model.keras"))
        np.testing.assert_allclose(
            new["class_block_0/mlp/expand/kernel"],
            old["class_block_0/mlp/expand/kernel"],
            rtol=1e-6,
        )
    # The run no longer needs the preset.
    shutil.rmtree(preset)
    assert main(["evaluate", out]) == 0
    recipe, images = read_recipe(f"{out}/recipe.toml"), load(data, "train")
    assert mixed_figure(recipe, images, tmp_path / "out") is not None
    assert main(["export", out, "--format=preset"]) == 0
    again = MixViT.from_preset(tmp_path / "out" / "export" / "preset")
    assert again.num_classes == 3


@pytest.mark.parametrize(
    ("kind", "method", "optimizer"),
    [("cait", "mixvit", LayerwiseAdamW), ("wide_resnet", "cut_mixmo", LayerwiseSGD)],
)
def test_layers_learn_at_the_rates_of_the_recipe(kind, method, optimizer, tmp_path):
    saved(kind, tmp_path / "preset")
    start = Recipe(method=method, backbone=kind, epochs=10, epoch_scale=0.5)
    recipe, _ = on_preset(start, tmp_path / "preset")
    recipe = recipe.with_settings(
        ["schedule.layer_decay=0.5", "schedule.new_layer_epochs=4"]
    )
    (tmp_path / "mine.toml").write_text(recipe_text(recipe))
    assert read_recipe(str(tmp_path / "mine.toml")) == recipe
    model = model_for(recipe, some_images())
    made = optimizer_for(recipe, model, steps_per_epoch=3)
    assert type(made) is optimizer
    assert made.rates == model.layer_rates(0.5)
    # 4 of 10 epochs, scaled to 2 of 5.
    assert made.starts == model.layer_starts(6)
    assert (made.decay or 0) == (0.05 if kind == "cait" else 0)


def test_frozen_blocks_of_a_recipe_do_not_train(tmp_path):
    saved("cait", tmp_path / "preset")
    recipe, _ = on_preset(Recipe(backbone="cait"), tmp_path / "preset")
    recipe = recipe.with_settings(["schedule.frozen_blocks=1"])
    model = model_for(recipe, some_images())
    learns = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert learns == {"class_block_0", "norm", "source_embedding", "heads"}
    # The baseline starts from the same weights, with the same layers frozen.
    single = model_for(recipe.baseline(), some_images())
    learns = {variable.path.split("/")[0] for variable in single.trainable_variables}
    assert learns == {"class_block_0", "norm", "heads"}
    with pytest.raises(
        ValueError, match=r"^`schedule\.frozen_blocks` must be an integer from 0 to 2,"
    ):
        model_for(recipe.with_settings(["schedule.frozen_blocks=3"]), some_images())


def test_the_command_fine_tunes(tmp_path, monkeypatch):
    make_eager(monkeypatch)
    saved("cait", tmp_path / "preset")
    run = tmp_path / "run"
    settings = ("layer_decay=0.5", "frozen_blocks=1", "new_layer_epochs=1")
    given = [word for s in settings for word in ("--set", f"schedule.{s}")]
    start = ["train", "--preset", str(tmp_path / "preset"), "--data", "digits"]
    start += ["--data-share=0.05", "--set=batch_size=16", "--set=epochs=2"]
    assert main([*start, f"--output={run}", "--no-single", *given]) == 0
    trained = load_model(run / "model.keras")
    assert isinstance(trained.optimizer, LayerwiseAdamW)
    assert not trained.stem.trainable
    old = SingleNetwork.from_preset(str(tmp_path / "preset"))
    before, after = arrays(old), arrays(trained)
    moved = {
        path.split("/")[0]
        for path in before
        if not np.array_equal(before[path], after[path])
    }
    # The heads are new.
    assert moved - {"heads"} == {"class_block_0", "norm"}
