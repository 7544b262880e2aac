import contextlib
import io
import json
from types import SimpleNamespace

import pytest

from keras_mixvit.cli import main
from tests.recipes.tiny_run import make_eager, train_words, write_images


@pytest.fixture(scope="session")
def command_run(tmp_path_factory):
    """A finished run of the command; tests leave it as it is."""
    base = tmp_path_factory.mktemp("run")
    data = write_images(base / "three.npz")
    text = io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_eager(monkeypatch)
        monkeypatch.setenv("COLUMNS", "120")
        with contextlib.redirect_stdout(text):
            status = main(train_words(data, base / "out", "--set=seed=3", "--single"))
    return SimpleNamespace(
        status=status,
        folder=base / "out",
        data=data,
        text=text.getvalue(),
        result=json.loads((base / "out" / "result.json").read_text()),
    )
