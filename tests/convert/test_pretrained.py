import re

import huggingface_hub
import numpy as np
import pytest

from keras_mixvit import MixMo, MixViT, SingleNetwork
from keras_mixvit.backbones import make_backbone
from keras_mixvit.backbones._named import NAMED
from keras_mixvit.convert import fetch, pretrained_backbone, timm_weights
from tests.convert.files import (
    CONFIG,
    PRETRAINED_CFG,
    cubic_resized,
    cut,
    save_cached,
    save_model,
)
from tests.convert.hub_cases import BYTES, SMALL
from tests.helpers import images, numpy, set_weights
from tests.layers.compiled import call


@pytest.fixture(scope="module")
def network():
    """A trained network, as it were; its images are normalised already."""
    arguments = {**NAMED["cait_xxs24"][1], **SMALL}
    kind = NAMED["cait_xxs24"][0]
    network = SingleNetwork(kind((32, 32, 3), 16, **arguments), CONFIG["num_classes"])
    set_weights(network)
    return network


@pytest.fixture(scope="module")
def weights(network):
    return timm_weights(network)


@pytest.fixture
def folder(weights, tmp_path):
    return save_model(tmp_path / "my_cait", weights)


@pytest.fixture
def small(monkeypatch):
    """Makes the named backbones quick to build."""
    for name in ("cait_xxs24", "convit_tiny"):
        for option, value in SMALL.items():
            monkeypatch.setitem(NAMED[name][1], option, value)


def head_of(model):
    return numpy(model.heads.kernel), numpy(model.heads.bias)


def test_a_pretrained_network_takes_pixels_of_0_to_255(small, network, folder):
    model = SingleNetwork.from_preset(str(folder))
    pixels = images(2, (32, 32, 3))
    mean, std = PRETRAINED_CFG["mean"], PRETRAINED_CFG["std"]
    expected = call(network, ((pixels - mean) / std).astype("float32"))
    found = numpy(call(model, 255 * pixels))
    assert found.shape == (2, CONFIG["num_classes"])
    np.testing.assert_allclose(found, numpy(expected), rtol=1e-4, atol=1e-5)


def test_mean_and_deviation_are_those_of_the_config_in_pixels(small, folder):
    found = pretrained_backbone(str(folder))
    backbone = found.backbone
    for argument in ("mean", "std"):
        expected = 255 * np.array(PRETRAINED_CFG[argument])
        np.testing.assert_allclose(getattr(backbone, argument), expected, rtol=1e-12)
    assert found.path == folder / "model.safetensors"
    assert found.num_classes == CONFIG["num_classes"]
    assert found.source_grid == (2, 2)
    assert backbone.image_shape == (32, 32, 3)
    assert backbone.patch_size == 16


def test_a_config_of_the_bare_minimum_has_defaults_of_timm(small, weights, tmp_path):
    config = {"architecture": "cait_xxs24_224"}
    folder = save_model(tmp_path / "mine", weights, config)
    found = pretrained_backbone(str(folder))
    backbone = found.backbone
    assert backbone.image_shape == (224, 224, 3)
    assert (backbone.mean, backbone.std) == (None, None)
    assert found.num_classes == 1000
    assert found.source_grid is None


def test_a_model_comes_from_the_cache(small, weights, tmp_path):
    cache = str(tmp_path / "cache")
    save_cached(tmp_path / "cache", weights, repository="me/mine", ref="v2")
    model = SingleNetwork.from_preset("me/mine", revision="v2", cache_dir=cache)
    np.testing.assert_array_equal(head_of(model)[0][0], weights["head.weight"].T)
    with pytest.raises(ConnectionError, match="me/mine could not be fetched"):
        SingleNetwork.from_preset("me/mine", cache_dir=cache)


def test_no_number_of_classes_keeps_the_head_in_every_subnetwork(
    small, weights, folder
):
    model = MixViT.from_preset(str(folder), num_subnetworks=3)
    kernels, biases = head_of(model)
    assert kernels.shape == (3, 8, 7)
    for kernel, bias in zip(kernels, biases, strict=True):
        np.testing.assert_array_equal(kernel, weights["head.weight"].T)
        np.testing.assert_array_equal(bias, weights["head.bias"])
    assert model.num_classes == 7


def test_a_mixmo_has_copies_of_the_stem(small, folder):
    model = MixMo.from_preset(str(folder), mixing_scale=1.0, inference="parallel")
    x = images(2, (32, 32, 3))
    single = SingleNetwork.from_preset(str(folder))
    expected = np.repeat(numpy(single.inference_network(x)), 2, axis=1)
    np.testing.assert_allclose(
        numpy(model.inference_network(x)), expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("num_classes", [5, 7])
def test_a_number_of_classes_makes_new_heads(num_classes, small, weights, folder):
    model = MixViT.from_preset(str(folder), num_classes)
    kernels, biases = head_of(model)
    assert kernels.shape == (2, 8, num_classes)
    assert not np.any(biases)
    # New values differ between heads, copies do not.
    assert np.abs(kernels[0] - kernels[1]).max() > 0
    found = timm_weights(model)
    for name, array in found.items():
        np.testing.assert_array_equal(array, weights[name], name)
    assert set(weights) - set(found) == {"head.weight", "head.bias"}


def test_options_reach_backbone_and_model(small, folder):
    model = MixViT.from_preset(
        str(folder),
        backbone_options={"stochastic_depth_rate": 0.3, "mean": 127.5},
        num_subnetworks=3,
        source_attribution="encoding",
        inference="sum",
        dtype="mixed_bfloat16",
    )
    backbone = model.backbone
    assert backbone.stochastic_depth_rate == 0.3
    assert backbone.mean == 127.5
    np.testing.assert_allclose(backbone.std, 255 * np.array(PRETRAINED_CFG["std"]))
    assert model.num_subnetworks == 3
    assert model.source_attribution == "encoding"
    assert model.inference == "sum"
    assert model.dtype_policy.name == "mixed_bfloat16"


def test_published_stochastic_depth_is_the_default(small, folder):
    backbone = pretrained_backbone(str(folder)).backbone
    assert backbone.stochastic_depth_rate == 0.05


@pytest.mark.parametrize(
    ("image_size", "grid"),
    [(64, (4, 4)), ((32, 64), (2, 4)), ([16, 64], (1, 4)), (np.int64(16), (1, 1))],
)
def test_another_image_size_resizes_the_positions(
    image_size, grid, small, weights, folder
):
    model = SingleNetwork.from_preset(str(folder), image_size=image_size)
    assert model.backbone.grid_shape == grid
    table = weights["pos_embed"].reshape(2, 2, 8)
    found = numpy(model.body.get_layer("position").table)
    np.testing.assert_allclose(found, cubic_resized(table, grid), atol=1e-5)


IMAGE_SIZE = "`image_size` must be a positive integer, two of them, or None."


@pytest.mark.parametrize(
    ("image_size", "message"),
    [
        (0, f"{IMAGE_SIZE} Received: image_size=0"),
        ("32", f"{IMAGE_SIZE} Received: image_size='32'"),
        ((32, 2.0), f"{IMAGE_SIZE} Received: image_size=(32, 2.0)"),
        (True, f"{IMAGE_SIZE} Received: image_size=True"),
        ((32, 32, 3), f"{IMAGE_SIZE} Received: image_size=(32, 32, 3)"),
        (40, "`patch_size` must divide the image size."),
    ],
)
def test_an_impossible_image_size_is_refused(image_size, message, small, folder):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        pretrained_backbone(str(folder), image_size)


def test_a_convit_is_made_of_its_files(small, tmp_path):
    convit = make_backbone("convit_tiny", (32, 32, 3))
    network = SingleNetwork(convit, 7)
    set_weights(network)
    config = {**CONFIG, "architecture": "convit_tiny"}
    weights = timm_weights(network)
    folder = save_model(tmp_path / "my_convit", weights, config)
    model = SingleNetwork.from_preset(str(folder))
    assert model.backbone.trunk_attention == "self_attention"
    for name, array in timm_weights(model).items():
        np.testing.assert_array_equal(array, weights[name], name)


@pytest.mark.parametrize("config", [{"architecture": "resnet50"}, {}])
def test_another_architecture_is_refused(config, tmp_path):
    folder = save_model(tmp_path / "mine", BYTES, config)
    message = (
        "`name` must be a model whose architecture is a named backbone, CaiT, "
        f"ConViT or ViT. Received: name={str(folder)!r}, "
        f"architecture={str(config.get('architecture'))!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        SingleNetwork.from_preset(str(folder))


@pytest.mark.parametrize("text", ["[1]", "null", "3"])
def test_a_config_that_is_no_dict_is_refused(text, tmp_path):
    folder = save_model(tmp_path / "mine", BYTES)
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"config\.json"):
        SingleNetwork.from_preset(str(folder))


def test_weights_of_another_size_are_refused(small, weights, tmp_path):
    config = {**CONFIG, "architecture": "convit_tiny"}
    folder = save_model(tmp_path / "mine", weights, config)
    with pytest.raises(ValueError, match="of timm's model of the same size"):
        SingleNetwork.from_preset(str(folder))


def test_damaged_weights_in_a_folder_are_refused(small, folder):
    cut(folder / "model.safetensors")
    message = "`path` must be an intact .safetensors file of weights only."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        SingleNetwork.from_preset(str(folder))


@pytest.mark.parametrize("option", ["image_shape", "patch_size"])
def test_options_of_the_backbone_leave_shape_and_patches_alone(option, folder):
    message = (
        "`changes` must not have `image_shape` (use `image_size`) or `patch_size` (the "
        f"weights decide it). Received: changes=[{option!r}]"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        SingleNetwork.from_preset(str(folder), backbone_options={option: 16})


def test_model_and_backbone_take_names_of_their_own(small, folder):
    model = SingleNetwork.from_preset(
        str(folder), name="mine", backbone_options={"name": "inner"}
    )
    assert (model.name, model.backbone.name) == ("mine", "inner")


def test_both_files_come_from_one_commit(small, weights, tmp_path, monkeypatch):
    save_cached(tmp_path / "cache", weights, repository="me/mine", ref="main")
    asked = []
    real = huggingface_hub.hf_hub_download

    def download(repository, file, revision=None, **where):
        asked.append((file, revision))
        return real(repository, file, revision=revision, **where)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    _, path = fetch("me/mine", cache_dir=str(tmp_path / "cache"))
    assert asked == [
        ("config.json", None),
        ("model.safetensors", path.parent.name),
    ]
