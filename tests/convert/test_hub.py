import re
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants, errors

from keras_mixvit import MixViT, SingleNetwork
from keras_mixvit.backbones import make_backbone
from keras_mixvit.backbones._named import NAMED
from keras_mixvit.convert import fetch, pretrained_backbone, timm_weights
from keras_mixvit.convert._hub import PRETRAINED
from tests.convert.files import (
    COMMIT,
    CONFIG,
    NAME,
    OTHER_COMMIT,
    PRETRAINED_CFG,
    cubic_resized,
    cut,
    save_cached,
    save_model,
)
from tests.helpers import images, numpy, set_weights
from tests.layers.compiled import call

SMALL = {"width": 8, "num_heads": 2, "num_blocks": 1, "num_class_blocks": 1}
BYTES = {"model.safetensors": np.zeros(2, "float32")}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch, tmp_path):
    """No test may leave the machine, nor read the user's own cache."""
    tried = []

    def connect(self, address):
        tried.append(address)
        raise OSError("tests have no network")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "own cache"))
    yield
    assert not tried


@pytest.fixture
def small(monkeypatch):
    """Makes the named backbones quick to build."""
    for name in ("cait_xxs24", "convit_tiny"):
        for option, value in SMALL.items():
            monkeypatch.setitem(NAMED[name][1], option, value)


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


def head_of(model):
    return numpy(model.heads.kernel), numpy(model.heads.bias)


# Files: a folder, the cache, the hub.


def test_a_folder_gives_config_and_path(tmp_path):
    folder = save_model(tmp_path / "mine", BYTES)
    config, path = fetch(str(folder))
    assert config == CONFIG
    assert path == folder / "model.safetensors"


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_one_of_the_files_is_refused(missing, tmp_path):
    folder = save_model(tmp_path / "mine", BYTES)
    (folder / missing).unlink()
    message = (
        "`name` must be a folder with config.json and model.safetensors. Received: "
        f"name={str(folder)!r}, missing=[{missing!r}]"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fetch(str(folder))


@pytest.mark.parametrize("text", ["", '{"architecture": "cait', "<html>", "\xff\xfe"])
def test_a_damaged_config_is_refused(text, tmp_path):
    folder = save_model(tmp_path / "mine", BYTES)
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    path = str(folder / "config.json")
    message = f"`name` must have an intact config.json. Received: {path!r} ("
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        fetch(str(folder))


@pytest.mark.parametrize("name", [NAME, f"timm/{NAME}", "me/mine"])
def test_what_is_in_the_cache_needs_no_network(name, tmp_path):
    repository = name if "/" in name else f"timm/{name}"
    root = save_cached(tmp_path / "cache", BYTES, repository=repository)
    config, path = fetch(name, cache_dir=str(tmp_path / "cache"))
    assert config == CONFIG
    assert path == root / "snapshots" / COMMIT / "model.safetensors"


def test_no_cache_given_means_that_of_the_client(tmp_path):
    save_cached(tmp_path / "own cache", BYTES)
    config, _ = fetch(NAME)
    assert config == CONFIG


@pytest.mark.parametrize("revision", ["v2", OTHER_COMMIT])
def test_a_revision_is_chosen_by_branch_or_commit(revision, tmp_path):
    cache, newer = tmp_path / "cache", {**CONFIG, "num_classes": 3}
    save_cached(cache, BYTES)
    save_cached(cache, BYTES, config=newer, commit=OTHER_COMMIT, ref="v2")
    config, path = fetch(NAME, revision=revision, cache_dir=str(cache))
    assert config == newer
    assert path.parent.name == OTHER_COMMIT
    assert fetch(NAME, cache_dir=str(cache))[0] == CONFIG


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_damaged_weights_in_the_cache_are_refused(damage, tmp_path):
    root = save_cached(tmp_path / "cache", BYTES)
    blob = (root / "snapshots" / COMMIT / "model.safetensors").resolve()
    content = blob.read_bytes()
    if damage == "cut":
        cut(blob)
    else:
        blob.write_bytes(content[:-1] + b"\x01")
    message = (
        "model.safetensors in the cache must have the SHA-256 sum of the hub's; it "
        "is damaged: delete it and fetch it again. Received: "
        f"path={str(blob)!r}, sum='"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}[0-9a-f]{{64}}'$"):
        fetch(NAME, cache_dir=str(tmp_path / "cache"))
    blob.write_bytes(content)
    fetch(NAME, cache_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize("revision", [None, OTHER_COMMIT])
def test_without_a_network_the_error_says_what_to_do(revision, tmp_path):
    if revision is not None:
        save_cached(tmp_path / "cache", BYTES)
    advice = (
        "without a network, put config.json and model.safetensors of "
        f"https://huggingface.co/timm/{NAME} into a folder and give its path as "
        "`name`."
    )
    pattern = (
        f"^timm/{re.escape(NAME)} could not be fetched from the hub "
        rf"\([^\n]+\): {re.escape(advice)}$"
    )
    with pytest.raises(ConnectionError, match=pattern):
        fetch(NAME, revision=revision, cache_dir=str(tmp_path / "cache"))


def test_weights_missing_beside_a_cached_config_are_fetched(tmp_path):
    root = save_cached(tmp_path / "cache", BYTES)
    (root / "snapshots" / COMMIT / "model.safetensors").unlink()
    with pytest.raises(ConnectionError, match="could not be fetched from the hub"):
        fetch(NAME, cache_dir=str(tmp_path / "cache"))


def test_the_hub_is_asked_only_for_what_the_cache_lacks(tmp_path, monkeypatch):
    folder, asked = save_model(tmp_path / "mine", BYTES), []

    def download(repository, file, local_files_only=False, **where):
        asked.append((repository, file, local_files_only, where))
        if local_files_only and file == "model.safetensors":
            raise errors.LocalEntryNotFoundError("not there")
        return str(folder / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    config, path = fetch("me/mine", "v2", "there")
    assert (config, path) == (CONFIG, folder / "model.safetensors")
    where = {"revision": "v2", "cache_dir": "there"}
    assert asked == [
        ("me/mine", "config.json", True, where),
        ("me/mine", "model.safetensors", True, where),
        ("me/mine", "model.safetensors", False, where),
    ]


@pytest.mark.parametrize(
    "error",
    [
        errors.RepositoryNotFoundError,
        errors.RevisionNotFoundError,
        errors.RemoteEntryNotFoundError,
        errors.GatedRepoError,
    ],
)
def test_what_the_hub_does_not_have_is_refused(error, monkeypatch):
    def download(repository, file, local_files_only=False, **where):
        if local_files_only:
            raise errors.LocalEntryNotFoundError("not there")
        response = SimpleNamespace(headers={}, request=None)
        raise error("404 Client Error.\n\nMore lines.", response=response)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    message = (
        "`name` must be an existing folder, or a repository of the hub, with "
        "config.json and model.safetensors. Received: name='me/mine', "
        "revision='v2' (404 Client Error.)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fetch("me/mine", revision="v2")


@pytest.mark.parametrize("name", ["/no/such/folder", "./no_such_folder", "a/b c"])
def test_what_is_neither_a_folder_nor_a_repository_is_refused(name):
    message = (
        "`name` must be an existing folder, or a repository of the hub, with "
        f"config.json and model.safetensors. Received: name={name!r}, revision=None ("
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        fetch(name)


def test_other_errors_of_the_network_are_connection_errors(monkeypatch):
    def download(repository, file, **where):
        raise TimeoutError

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    message = f"timm/{NAME} could not be fetched from the hub (TimeoutError): without"
    with pytest.raises(ConnectionError, match=f"^{re.escape(message)}"):
        fetch(NAME)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        (
            "cait_xxs24_224.fb_in1k",
            "Nearest: 'cait_xxs24_224.fb_dist_in1k', ",
        ),
        ("convit_tiny", "Nearest: 'convit_tiny.fb_in1k', "),
        ("zzz", f"Known: {', '.join(map(repr, PRETRAINED))}."),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, hint):
    message = f"`name` must be a known name. {hint}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as error:
        fetch(name)
    assert str(error.value).endswith(f"Received: name={name!r}")


@pytest.mark.parametrize("name", PRETRAINED)
def test_every_pretrained_model_is_a_named_backbone(name, tmp_path, monkeypatch):
    architecture = name.split(".")[0]
    config = {**CONFIG, "architecture": architecture}
    save_cached(tmp_path / "cache", BYTES, config, repository=f"timm/{name}")
    made = []

    def make(*arguments, **options):
        made.append(arguments)

    monkeypatch.setattr("keras_mixvit.convert._pretrained.make_backbone", make)
    pretrained_backbone(name, cache_dir=str(tmp_path / "cache"))
    known = re.sub(r"_(224|384|448)$", "", architecture)
    assert known in NAMED
    assert made == [(known, (32, 32, 3), 16)]


@pytest.fixture
def folders_here(tmp_path, monkeypatch):
    """Folders in the working directory that are named like models of the hub."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me").mkdir()
    for name in (NAME, "mine", "me/mine"):
        save_model(tmp_path / name, BYTES, {**CONFIG, "architecture": "local"})
    save_cached(tmp_path / "cache", BYTES)
    save_cached(tmp_path / "cache", BYTES, repository="me/mine")
    return str(tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "is_local"),
    [
        (NAME, False),
        (f"./{NAME}", True),
        (Path(NAME), True),
        ("hf://me/mine", False),
        ("./me/mine", True),
        (Path("me/mine"), True),
        ("./mine", True),
    ],
)
def test_a_folder_here_takes_no_place_of_a_model_of_the_hub(
    name, is_local, folders_here
):
    config, _ = fetch(name, cache_dir=folders_here)
    assert (config["architecture"] == "local") is is_local


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "me/mine",
            "`name` must say whether it is a folder or a repository: './me/mine' is "
            "the folder, 'hf://me/mine' the repository of the hub. Received: "
            "name='me/mine'",
        ),
        (
            "mine",
            "`name` must be a known name, or a path. Write './mine' to name the file "
            "or folder 'mine'. Received: name='mine'",
        ),
    ],
)
def test_what_may_mean_two_things_is_refused(name, text, folders_here):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        fetch(name, cache_dir=folders_here)


def test_the_hub_client_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    message = (
        "Fetching weights needs the packages huggingface_hub and safetensors: pip "
        "install 'keras_mixvit[hub]'."
    )
    with pytest.raises(ModuleNotFoundError, match=f"^{re.escape(message)}$"):
        fetch(NAME)


def test_a_folder_needs_no_hub_client(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    config, _ = fetch(str(save_model(tmp_path / "mine", BYTES)))
    assert config == CONFIG


# Models of the files.


def test_a_pretrained_network_takes_pixels_of_0_to_255(small, network, folder):
    model = SingleNetwork.from_timm(str(folder))
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
    model = SingleNetwork.from_timm("me/mine", revision="v2", cache_dir=cache)
    np.testing.assert_array_equal(head_of(model)[0][0], weights["head.weight"].T)
    with pytest.raises(ConnectionError, match="me/mine could not be fetched"):
        SingleNetwork.from_timm("me/mine", cache_dir=cache)


def test_no_number_of_classes_keeps_the_head_in_every_subnetwork(
    small, weights, folder
):
    model = MixViT.from_timm(str(folder), num_subnetworks=3)
    kernels, biases = head_of(model)
    assert kernels.shape == (3, 8, 7)
    for kernel, bias in zip(kernels, biases, strict=True):
        np.testing.assert_array_equal(kernel, weights["head.weight"].T)
        np.testing.assert_array_equal(bias, weights["head.bias"])
    assert model.num_classes == 7


@pytest.mark.parametrize("num_classes", [5, 7])
def test_a_number_of_classes_makes_new_heads(num_classes, small, weights, folder):
    model = MixViT.from_timm(str(folder), num_classes)
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
    model = MixViT.from_timm(
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
    model = SingleNetwork.from_timm(str(folder), image_size=image_size)
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
    model = SingleNetwork.from_timm(str(folder))
    assert model.backbone.trunk_attention == "self_attention"
    for name, array in timm_weights(model).items():
        np.testing.assert_array_equal(array, weights[name], name)


@pytest.mark.parametrize("config", [{"architecture": "resnet50"}, {}])
def test_another_architecture_is_refused(config, tmp_path):
    folder = save_model(tmp_path / "mine", BYTES, config)
    message = (
        "`name` must be a model whose architecture is a named backbone, CaiT or "
        f"ConViT. Received: name={str(folder)!r}, "
        f"architecture={str(config.get('architecture'))!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        SingleNetwork.from_timm(str(folder))


@pytest.mark.parametrize("text", ["[1]", "null", "3"])
def test_a_config_that_is_no_dict_is_refused(text, tmp_path):
    folder = save_model(tmp_path / "mine", BYTES)
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"config\.json"):
        SingleNetwork.from_timm(str(folder))


def test_weights_of_another_size_are_refused(small, weights, tmp_path):
    config = {**CONFIG, "architecture": "convit_tiny"}
    folder = save_model(tmp_path / "mine", weights, config)
    with pytest.raises(ValueError, match="of timm's model of the same size"):
        SingleNetwork.from_timm(str(folder))


def test_damaged_weights_in_a_folder_are_refused(small, folder):
    cut(folder / "model.safetensors")
    message = "`path` must be an intact .safetensors file of weights only."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        SingleNetwork.from_timm(str(folder))


@pytest.mark.parametrize("option", ["image_shape", "patch_size"])
def test_options_of_the_backbone_leave_shape_and_patches_alone(option, folder):
    message = (
        "`changes` must not hold `image_shape`, for which there is `image_size`, nor "
        f"`patch_size`, which is that of the weights. Received: changes=[{option!r}]"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        SingleNetwork.from_timm(str(folder), backbone_options={option: 16})


def test_model_and_backbone_take_names_of_their_own(small, folder):
    model = SingleNetwork.from_timm(
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
