import json
import shlex
import shutil

import pytest

from keras_mixvit.cli._main import make_parser
from keras_mixvit.recipes import Recipe, read_recipe
from keras_mixvit.report._facts import METHODS, command_of, facts_of, lines_of
from keras_mixvit.report._judged_runs import judge_runs
from keras_mixvit.report._options import Options
from keras_mixvit.training._run_settings import RunSettings

pytestmark = pytest.mark.one_backend


@pytest.mark.parametrize("data_dir", [None, "my images/$HOME"])
@pytest.mark.parametrize("single", [True, False])
def test_the_command_is_accepted_and_says_the_same(data_dir, single):
    settings = RunSettings(Recipe(), data_dir, single=single, single_cutmix=not single)
    first, *words = shlex.split(command_of(settings, "jax"))
    assert first == "KERAS_BACKEND=jax"
    assert words[0] == "keras-mixvit"
    found = vars(make_parser().parse_args(words[1:]))
    assert (found["name"], found["data_dir"]) == ("recipe.toml", data_dir)
    assert (found["single"], found["single_cutmix"]) == (single, not single)


def test_every_method_is_explained():
    for name in METHODS:
        assert Recipe().with_settings([f"method={name}"]).method.name == name


def test_facts_repeat_the_run(finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    options = Options(run, tmp_path / "page.html", bootstrap=0)
    (judged,) = judge_runs(options, 0).runs
    facts = facts_of(judged)
    (tmp_path / "again.toml").write_text(facts["recipe_text"])
    assert read_recipe(str(tmp_path / "again.toml")) == judged.settings.recipe
    known = json.loads((run / "run.json").read_text())["facts"]
    assert facts["versions"] == known["versions"]
    assert facts["data"]["fingerprint"] == known["data"]["fingerprint"]
    lines = dict(lines_of(facts, judged))
    assert lines["Training"] == "1 epochs, seed 3"
    assert lines["Number of images"] == "16 training, 4 validation, 12 test"
    assert "2 subnetworks" in lines["Method"]
    assert known["backend"] in lines["Backend and device"]
    # A file that somebody changed is no error.
    judged.settings.facts["data"]["shapes"] = {"train": "many", "test": []}
    judged.settings.facts["versions"] = {"keras": ["x"]}
    lines = dict(lines_of(facts_of(judged), judged))
    assert (lines["Number of images"], lines["Versions"]) == ("", "keras ['x']")
