"""Options of recipes that a whole training has to respect."""

import pytest

from keras_mixvit.data import load
from keras_mixvit.models import load_model
from keras_mixvit.recipes import Recipe
from keras_mixvit.training import train
from keras_mixvit.training._run_rows import rows_of
from tests.tiny_run import SETTINGS, make_eager, write_images

pytestmark = pytest.mark.one_backend


def small(folder, **settings):
    data = write_images(folder / "three.npz")
    made = Recipe(data=data).with_settings(SETTINGS)
    return made.with_settings({k.replace("__", "."): v for k, v in settings.items()})


def test_the_saved_model_has_the_averaged_weights_that_are_reported(
    tmp_path, monkeypatch
):
    make_eager(monkeypatch)
    recipe = small(tmp_path, optimizer__use_ema=True, schedule__learning_rate=0.1)
    folder, rows = train(recipe, tmp_path / "run", single=False, verbose=0)
    test = load(recipe.data.name, "test")
    saved = rows_of(load_model(folder / "model.keras"), test, 0.0)
    assert [row["nll"] for row in saved] == pytest.approx(
        [row["nll"] for row in rows], rel=1e-5
    )


def test_images_kept_on_the_device_train_to_the_end(tmp_path, monkeypatch):
    make_eager(monkeypatch)
    recipe = small(tmp_path, pairs__apply_on="device", pairs__keep_on_device=True)
    folder, _ = train(recipe, tmp_path / "run", single=False, verbose=0)
    assert (folder / "result.json").is_file()


@pytest.mark.parametrize(
    "options",
    [{"name": "sgd", "momentum": 2.0}, {"clipnorm": 1.0, "global_clipnorm": 1.0}],
)
def test_an_optimizer_that_keras_refuses_leaves_no_folder(tmp_path, options):
    recipe = small(tmp_path).replace(optimizer=options)
    with pytest.raises(ValueError, match=r"^`optimizer` must have options that Keras"):
        train(recipe, tmp_path / "run", single=False, verbose=0)
    assert not (tmp_path / "run").exists()
