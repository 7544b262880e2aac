"""What is uploaded to the hub, without one."""

import re
from types import SimpleNamespace

import huggingface_hub
import pytest

from keras_mixvit import SingleNetwork
from tests.helpers import tiny_cait

pytestmark = pytest.mark.one_backend


def model():
    return SingleNetwork(tiny_cait(num_blocks=1), 5)


@pytest.fixture
def uploads(monkeypatch):
    calls = []

    class Api:
        def __init__(self, token=None):
            calls.append(("token", token))

        def create_repo(self, repository, private, exist_ok):
            calls.append(("create", repository, private, exist_ok))

        def upload_folder(self, repo_id, folder_path, commit_message):
            files = {path.name for path in folder_path.iterdir()}
            again = SingleNetwork.from_preset(folder_path)
            calls.append(("upload", repo_id, files, again.num_classes))
            return SimpleNamespace(commit_url=f"https://hub/{repo_id}/commit/1")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    return calls


def test_uploads_what_a_folder_holds(uploads):
    url = model().push_to_hub("hf://me/mine", private=True, token="t")
    assert url == "https://hub/me/mine/commit/1"
    files = {"config.json", "model.safetensors", "README.md"}
    assert uploads == [
        ("token", "t"),
        ("create", "me/mine", True, True),
        ("upload", "me/mine", files, 5),
    ]


@pytest.mark.parametrize("name", ["mine", "a/b/c", "", 3])
def test_refuses_what_is_no_repository(name, uploads):
    with pytest.raises(ValueError, match="`repository` must be 'owner/name'"):
        model().push_to_hub(name)
    assert not uploads


def test_without_a_network_the_error_says_what_to_do(uploads, monkeypatch):
    def refuse(*args, **options):
        raise OSError("no route\nat all")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", refuse)
    message = (
        "me/mine could not be written on the hub (no route). Log in with `hf auth "
        "login`, or write a folder with `save_to_preset` and upload it."
    )
    with pytest.raises(ConnectionError, match=f"^{re.escape(message)}$"):
        model().push_to_hub("me/mine")
