"""What a run keeps of its settings."""

import json
import re

import pytest

from keras_mixvit.recipes import Recipe, read_recipe, recipe_text
from keras_mixvit.training import resume
from keras_mixvit.training._run_settings import RunSettings

pytestmark = pytest.mark.one_backend


def changed(folder, **changes):
    """Writes the recipe of a run again, with other settings."""
    path = folder / "recipe.toml"
    settings = {name.replace("__", "."): value for name, value in changes.items()}
    path.write_text(recipe_text(read_recipe(str(path)).with_settings(settings)))


@pytest.mark.parametrize("is_finished", [False, True])
def test_a_changed_recipe_is_refused(is_finished, tmp_path):
    RunSettings(Recipe(epochs=7)).write(tmp_path)
    if is_finished:
        (tmp_path / "result.json").write_text('{"rows": []}')
    changed(tmp_path, epochs=9, schedule__learning_rate=0.01)
    text = (
        "`run` must keep its recipe.toml: one training cannot have two recipes. Undo "
        "the changes (before, now), or start another run with this file. Received: "
        f"run={str(tmp_path)!r}, epochs=(7, 9), schedule.learning_rate=(None, 0.01)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        resume(str(tmp_path))


def test_other_names_and_places_are_no_change(tmp_path):
    RunSettings(Recipe(epochs=7)).write(tmp_path)
    changed(tmp_path, name="ours", note="mine", data__name="elsewhere.npz")
    RunSettings.read(tmp_path).require_same_recipe(tmp_path)
    changed(tmp_path, data__share=0.5)
    with pytest.raises(ValueError, match=r"Received: run=.*, data\.share=\(None, 0\.5"):
        RunSettings.read(tmp_path).require_same_recipe(tmp_path)


def test_a_run_of_an_earlier_version_has_no_copy(tmp_path):
    RunSettings(Recipe(epochs=7)).write(tmp_path)
    content = json.loads((tmp_path / "run.json").read_text())
    assert content.pop("recipe")["epochs"] == 7
    (tmp_path / "run.json").write_text(json.dumps(content))
    changed(tmp_path, epochs=9)
    settings = RunSettings.read(tmp_path)
    settings.require_same_recipe(tmp_path)
    assert settings.recipe.epochs == 9
