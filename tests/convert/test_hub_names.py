import re
import sys
from pathlib import Path

import huggingface_hub
import pytest

from keras_mixvit.backbones._named import NAMED
from keras_mixvit.convert import fetch, pretrained_backbone
from keras_mixvit.convert._hub import PRETRAINED
from tests.convert.files import (
    CONFIG,
    NAME,
    save_cached,
    save_model,
)
from tests.convert.hub_cases import BYTES


@pytest.mark.parametrize("name", ["/no/such/folder", "./no_such_folder", "a/b c"])
def test_what_is_neither_a_folder_nor_a_repository_is_refused(name):
    message = (
        "`name` must be an existing folder, or a repository on the hub, with "
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
    known = re.sub(r"_(224|336|384|448)$", "", architecture)
    assert known in NAMED
    patch_size = re.search(r"patch(\d+)", name)
    assert made == [(known, (32, 32, 3), int(patch_size[1]) if patch_size else 16)]


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
            "`name` must be clearly a folder or a repository: './me/mine' is the "
            "folder, 'hf://me/mine' the repository on the hub. Received: "
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
