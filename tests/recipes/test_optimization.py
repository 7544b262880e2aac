"""Optimizers of recipes and what they leave alone."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_mixvit.recipes import Recipe, loss_for, optimizer_for, recipe
from tests.helpers import numpy

NAMES = {
    "kernel": (2, 3),
    "bias": (2, 3),
    "gain": (3,),
    "class_token": (1, 3),
    "position_embedding": (2, 2, 3),
    "source_embedding": (2, 3),
    "source_bias": (2, 3),
}


def moved_without_gradients(made):
    """Which variables a step with gradients of 0 changes, and the factor."""
    variables = [
        keras.Variable(np.ones(shape, "float32"), name=name)
        for name, shape in NAMES.items()
    ]
    model = SimpleNamespace(trainable_variables=variables)
    optimizer = optimizer_for(made, model, steps_per_epoch=1)
    optimizer.apply([0.0 * variable.value for variable in variables], variables)
    return {
        variable.name: float(numpy(variable.value).flat[0])
        for variable in variables
        if np.any(numpy(variable.value) != 1)
    }


@pytest.mark.parametrize(
    "made",
    [
        Recipe(
            epochs=10, schedule={"learning_rate": 0.1}, optimizer={"weight_decay": 0.5}
        ),
        Recipe(
            epochs=10,
            schedule={"learning_rate": 0.1},
            optimizer={"weight_decay": 0.5, "name": "sgd"},
        ),
    ],
)
def test_matrices_decay_and_tokens_and_vectors_do_not(made):
    # The warm-up is the first epoch, here one step.
    assert moved_without_gradients(made) == {"kernel": pytest.approx(1 - 0.1 * 0.5)}


def test_sgd_of_the_papers_decays_nothing_by_itself():
    made = Recipe(method="cut_mixmo", backbone="wide_resnet")
    assert moved_without_gradients(made) == {}


@pytest.mark.parametrize("name", ["mixvit-convit", "cut-mixmo"])
def test_optimizers_are_those_of_the_papers(name):
    made = recipe(name)
    model = SimpleNamespace(trainable_variables=[])
    optimizer = optimizer_for(made, model, 10)
    if name == "mixvit-convit":
        assert isinstance(optimizer, keras.optimizers.AdamW)
        assert (optimizer.weight_decay, optimizer.epsilon) == (0.05, 1e-8)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.9, 0.999)
    else:
        assert isinstance(optimizer, keras.optimizers.SGD)
        assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)


def test_momentum_can_be_changed():
    made = recipe("cut-mixmo").with_settings(
        ["optimizer.momentum=0.5", "optimizer.nesterov=false"]
    )
    optimizer = optimizer_for(made, SimpleNamespace(trainable_variables=[]), 10)
    assert (optimizer.momentum, optimizer.nesterov) == (0.5, False)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("clipnorm=0.5", 0.5),
        ("use_ema=true", True),
        ("gradient_accumulation_steps=2", 2),
        ("loss_scale_factor=128", 128),
        ("weight_decay=0", 0),
    ],
)
@pytest.mark.parametrize("name", ["mixvit-convit", "cut-mixmo"])
def test_options_of_keras_reach_the_optimizer(name, setting, value):
    made = recipe(name).with_settings([f"optimizer.{setting}"])
    optimizer = optimizer_for(made, SimpleNamespace(trainable_variables=[]), 10)
    key = setting.partition("=")[0]
    assert (getattr(optimizer, key) or 0) == value


def test_what_keras_refuses_is_an_error_of_the_recipe():
    made = Recipe(optimizer={"clipnorm": 1.0, "clipvalue": 1.0})
    with pytest.raises(ValueError, match=r"^`optimizer` must have options that Keras"):
        optimizer_for(made, SimpleNamespace(trainable_variables=[]), 10)


def test_the_loss_is_smoothed_cross_entropy_of_logits():
    logits, labels = np.array([[1.0, 2.0, 4.0]]), np.array([[0.25, 0.0, 0.75]])
    loss = float(loss_for(Recipe(loss={"label_smoothing": 0.3}))(labels, logits))
    smooth = 0.7 * labels + 0.1
    expected = -(smooth * (logits - np.log(np.exp(logits).sum()))).sum()
    assert loss == pytest.approx(expected, rel=1e-5)
