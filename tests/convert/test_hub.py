import re
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import errors

from keras_mixvit.convert import fetch
from tests.convert.files import (
    COMMIT,
    CONFIG,
    NAME,
    OTHER_COMMIT,
    cut,
    save_cached,
    save_model,
)
from tests.convert.hub_cases import BYTES


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
        "model.safetensors in the cache must have the SHA-256 sum of the file on the "
        "hub; it is damaged: delete it and fetch it again. Received: "
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
        "`name` must be an existing folder, or a repository on the hub, with "
        "config.json and model.safetensors. Received: name='me/mine', "
        "revision='v2' (404 Client Error.)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fetch("me/mine", revision="v2")
