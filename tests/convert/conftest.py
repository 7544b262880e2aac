import socket

import pytest
from huggingface_hub import constants

from keras_mixvit import SingleNetwork
from keras_mixvit.convert import timm_weights
from tests.convert.loading import KINDS, random


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


@pytest.fixture(scope="module")
def single():
    return random(SingleNetwork(KINDS["cait"](), 5))


@pytest.fixture(scope="module")
def weights(single):
    return timm_weights(single)
