"""Optimizers, schedules and folders of runs."""

import sys

import keras
import numpy as np
import pytest

from keras_mixvit.models._mimo_model import MIMOModel
from keras_mixvit.training import train
from tests.helpers import numpy
from tests.recipes.small import recipe_of
from tests.tiny_run import write_images

FINISH = sys.modules["keras_mixvit.training._finish"]
TRAIN = sys.modules["keras_mixvit.training._train"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `train` up to the first step and returns its model."""
    trained = []

    def stop(self, *args, **kwargs):
        trained.append(self)

    monkeypatch.setattr(MIMOModel, "fit", stop)
    monkeypatch.setattr(FINISH, "rows_of", lambda *args: [])
    monkeypatch.setattr(FINISH, "draw_figures", lambda *args: None)
    data = write_images(tmp_path / "three.npz")

    def start(*names, **changes):
        recipe = recipe_of(*names, **{"data": data, **changes})
        train(recipe, str(tmp_path / "run"), single=False, verbose=0)
        (model,) = trained
        return model

    return start


def test_residual_networks_are_trained_with_nesterov_sgd_and_l2_in_the_loss(run):
    model = run("cut_mixmo", "wide_resnet", pairs__repetitions=2, epochs=5)
    optimizer = model.optimizer
    assert isinstance(optimizer, keras.optimizers.SGD)
    assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)
    assert not optimizer.weight_decay
    schedule = optimizer._learning_rate.get_config()
    # 16 images in batches of 8, each twice, over 5 epochs.
    assert schedule["total_steps"] == 20
    assert schedule["learning_rate"] == pytest.approx(0.1 / 2 * 8 / 128)
    assert model.backbone.l2 == 3e-4
    squares = [np.sum(numpy(v.value) ** 2.0) for v in model.trainable_variables]
    loss = float(numpy(sum(model.losses)))
    assert loss == pytest.approx(3e-4 * sum(squares), rel=1e-4)


@pytest.mark.parametrize("names", [("cut_mixmo", "convit"), ("mixup", "cait")])
def test_transformers_are_trained_with_adamw_and_no_l2_in_the_loss(names, run):
    model = run(*names)
    assert isinstance(model.optimizer, keras.optimizers.AdamW)
    assert model.optimizer.weight_decay == 0.05
    assert model.optimizer._learning_rate.get_config()["learning_rate"] == 2e-3
    assert model.losses == []


def test_the_folder_of_a_run_is_named_after_data_method_and_backbone(run, monkeypatch):
    named = []

    def record(output, name):
        named.append(name)
        return real(output, name)

    real = TRAIN.new_run_folder
    monkeypatch.setattr(TRAIN, "new_run_folder", record)
    run("mimo", "cait", seed=4)
    assert named == ["three-mimo-cait-seed4"]
