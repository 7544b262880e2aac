import csv
import json

import numpy as np
import pytest

from keras_mixvit.cli._main import main
from keras_mixvit.models import MIMOModel
from keras_mixvit.recipes import Recipe, read_recipe
from tests.tiny_run import make_eager, train_words, write_images

pytestmark = pytest.mark.one_backend


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("loss.class_weight=balanced", "balanced"),
        ("loss.class_weight=1,2.5,0", {0: 1, 1: 2.5, 2: 0}),
        ("loss.class_weight=none", None),
    ],
)
def test_settings_say_how_classes_are_weighed(setting, expected):
    recipe = Recipe().with_settings([setting])
    assert recipe.loss.class_weights(num_classes=3) == expected
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe


@pytest.mark.parametrize("weights", ["equal", (), (1, -1), (1, np.nan), (np.inf,)])
def test_other_weights_are_refused(weights):
    text = r"`loss\.class_weight` must be .*\. Received: loss\.class_weight="
    with pytest.raises(ValueError, match=text):
        Recipe(loss={"class_weight": weights})


def test_weights_of_other_classes_are_refused():
    text = r'`loss\.class_weight` must be 2 numbers, one for each class, or "balanc'
    with pytest.raises(ValueError, match=text):
        Recipe(loss={"class_weight": (1, 2, 3)}).loss.class_weights(num_classes=2)


def test_a_run_weighs_its_classes(tmp_path, monkeypatch, capsys):
    make_eager(monkeypatch)
    given = []
    fit = MIMOModel.fit

    def noting(self, *args, **kwargs):
        given.append(kwargs["class_weight"])
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(MIMOModel, "fit", noting)
    data = write_images(tmp_path / "images.npz")
    losses = {}
    for name, weights in (
        ("plain", "none"),
        ("balanced", "balanced"),
        ("zero", "0,0,0"),
    ):
        words = train_words(data, tmp_path / name, f"--set=loss.class_weight={weights}")
        assert main([*words, "--no-single"]) == 0
        with open(tmp_path / name / "history.csv", newline="") as file:
            losses[name] = [float(row["loss"]) for row in csv.DictReader(file)]
        stored = read_recipe(str(tmp_path / name / "recipe.toml"))
        assert stored.loss.class_weight == {"none": None, "0,0,0": (0, 0, 0)}.get(
            weights, weights
        )
    assert given == [None, "balanced", {0: 0, 1: 0, 2: 0}]
    assert losses["plain"] != losses["balanced"]
    assert losses["zero"] == [0.0]
    words = train_words(
        data, tmp_path / "more", "--set=loss.class_weight=1,2", "--no-single"
    )
    assert main(words) == 1
    assert "`loss.class_weight` must be 3 numbers" in capsys.readouterr().err
    assert not (tmp_path / "more").exists()
