"""Two runs with plain networks."""

import pytest

from keras_mixvit.prediction import _sources as sources
from tests.prediction.files import linear, write_run


@pytest.fixture
def models(monkeypatch):
    """The models of the runs `a` and `b`."""
    found = {"a": linear(0), "b": linear(1, members=1)}
    monkeypatch.setattr(sources, "load_model", lambda file: found[file.parent.name])
    return found


@pytest.fixture
def run(models, tmp_path):
    """A run, with the images and labels that it held out."""
    images, labels = write_run(tmp_path / "a", models["a"])
    return tmp_path / "a", images, labels
