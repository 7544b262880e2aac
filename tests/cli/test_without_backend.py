"""What the command does at once, without a backend."""

import pytest

from keras_mixvit.cli._main import COMMANDS
from keras_mixvit.recipes import recipe, recipe_text
from tests.cli.processes import told

pytestmark = pytest.mark.one_backend

# A sentence about the backend would be told where no variable chooses it.
FREE = {"KERAS_BACKEND": ""}


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)])
def test_help_imports_no_backend(words):
    status, out, errors, imported = told(*words, "--help", **FREE)
    assert (status, errors, imported) == (0, [], "[]")
    assert out.startswith("usage: keras-mixvit")


@pytest.mark.parametrize("words", [["recipes"], ["recipes", "--filter=*-mimo-*"]])
def test_recipes_are_listed_without_a_backend(words):
    status, out, errors, imported = told(*words, **FREE)
    assert (status, errors, imported) == (0, [], "[]")
    assert "cifar100-wrn28-10-mimo-b4  (mimo)" in out.splitlines()


@pytest.mark.parametrize("name", ["digits", "mixvit-convit", "cut-mixmo-imagenet"])
def test_a_recipe_is_shown_without_a_backend_as_with_one(name):
    status, out, errors, imported = told("show", name, **FREE)
    assert (status, errors, imported) == (0, [], "[]")
    text = "".join(x for x in out.splitlines(keepends=True) if x[0] != "#")
    assert text == recipe_text(recipe(name).replace(note=""))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["show", "mixvit-convti"], "`name` must be a known name. Nearest: 'mixvit-co"),
        (["show", "x"], "`name` must be a known name. `keras-mixvit recipes` lists"),
        (["show", "x.toml"], "`path` must be a readable file. Received: path"),
        (["train", "mixvit-cnvit"], "`name` must be a known name. Nearest: 'mixvit-"),
        (["train", "x.toml"], "`path` must be a readable file. Received: "),
        (["train", "--set=epochs"], "`settings` must be of the form key=value. Rece"),
        (["train", "--output=."], "`output` must be a new or empty folder. Received"),
        (["resume", "x"], "`run` must be the folder of a run, which holds a recipe.t"),
        (["compare", "x"], "`run` must be the folder of a run, which holds a recipe."),
        (["study", "x.toml"], "`path` must be a readable file. Received: "),
        (["evaluate", "x"], "`run` must hold a model.keras. Received: run='x'"),
        (["export", "x", "--format=onnx"], "`run` must hold a model.keras. Received:"),
    ],
)
def test_what_is_not_there_is_told_without_a_backend(words, error):
    status, out, errors, imported = told(*words, **FREE)
    assert (status, out, imported) == (1, "", "[]")
    (line,) = errors
    assert line.startswith(f"keras-mixvit: {error}")
