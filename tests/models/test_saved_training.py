"""Training continued from a file equals training that was not interrupted."""

import warnings

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork, load_model
from keras_mixvit.models._frozen_layers import frozen_paths
from keras_mixvit.models._saved_training import not_decayed
from keras_mixvit.recipes import Recipe
from keras_mixvit.recipes._optimization import not_decayed as not_decayed_in_recipes
from keras_mixvit.recipes._optimization import optimizer_for
from tests.helpers import EAGERLY, LOSS, images, tiny_convit

OPTIMIZERS = keras.optimizers


def network(**options):
    keras.utils.set_random_seed(0)
    options = {"num_blocks": 1, "num_class_blocks": 1, **options}
    return SingleNetwork(tiny_convit(**options), 5)


def step(model, index):
    model.train_on_batch(images(4, seed=index), np.arange(4))


def values(variables):
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assert_goes_on(model, path, steps=3):
    """Saves, loads and trains both; returns the loaded one."""
    for index in range(steps):
        step(model, index)
    model.save(path / "model.keras")
    loaded = load_model(path / "model.keras")
    for index in range(steps, 2 * steps):
        step(model, index)
        step(loaded, index)
    for found, expected in (
        (loaded.variables, model.variables),
        (loaded.optimizer.variables, model.optimizer.variables),
    ):
        for one, other in zip(values(found), values(expected), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
    return loaded


def by_name(model):
    optimizer = OPTIMIZERS.AdamW(0.1, weight_decay=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
    return optimizer


def by_variable(model):
    optimizer = OPTIMIZERS.SGD(0.1, momentum=0.9, weight_decay=1.0)
    optimizer.exclude_from_weight_decay(model.trainable_variables[::2])
    return optimizer


def within_loss_scaling(model):
    return OPTIMIZERS.LossScaleOptimizer(by_variable(model), dynamic_growth_steps=2)


def with_everything(model):
    schedule = OPTIMIZERS.schedules.CosineDecay(0.1, 6)
    options = {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.5}
    optimizer = OPTIMIZERS.AdamW(schedule, ema_overwrite_frequency=2, **options)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    return optimizer


def of_recipe(model):
    return optimizer_for(
        Recipe(optimizer={"weight_decay": 0.5}), model, steps_per_epoch=3
    )


@pytest.mark.parametrize(
    "optimizer", [by_name, by_variable, within_loss_scaling, with_everything, of_recipe]
)
def test_a_loaded_model_trains_on_as_if_nothing_had_happened(optimizer, tmp_path):
    model = network(stochastic_depth_rate=0.3, dropout_rate=0.2, seed=3)
    model.compile(optimizer(model), LOSS, **EAGERLY)
    excluded = [variable.path for variable in not_decayed(model)]
    assert 0 < len(excluded) < len(model.trainable_variables)
    loaded = assert_goes_on(model, tmp_path)
    assert [variable.path for variable in not_decayed(loaded)] == excluded


def test_excluded_variables_are_those_that_do_not_decay():
    # One step with gradients of 0 moves what decays by a tenth of itself.
    model = network()
    optimizer = OPTIMIZERS.SGD(0.1, weight_decay=1.0)
    optimizer.exclude_from_weight_decay(
        model.trainable_variables[:3], var_names=["^kernel"]
    )
    model.compile(optimizer, LOSS)
    variables = model.trainable_variables
    for variable in variables:
        variable.assign(np.ones(variable.shape))
    optimizer.build(variables)
    excluded = {id(variable) for variable in not_decayed(model)}
    optimizer.apply([keras.ops.zeros(variable.shape) for variable in variables])
    for variable in variables:
        expected = 1.0 if id(variable) in excluded else 0.9
        np.testing.assert_allclose(values([variable])[0], expected, rtol=1e-6)


def test_the_recipes_exclude_the_same_variables():
    model = MixViT(tiny_convit(), 5)
    model.compile(of_recipe(model), LOSS)
    found = [variable.path for variable in not_decayed(model)]
    assert found == [variable.path for variable in not_decayed_in_recipes(model)]


def test_frozen_layers_stay_frozen(tmp_path):
    model = network()
    model.stem.trainable = False
    model.body.layers[-1].mlp.trainable = False
    model.compile(OPTIMIZERS.SGD(0.1, momentum=0.9), LOSS, **EAGERLY)
    loaded = assert_goes_on(model, tmp_path)
    assert frozen_paths(loaded) == frozen_paths(model)
    paths = [variable.path for variable in model.trainable_variables]
    assert [variable.path for variable in loaded.trainable_variables] == paths
    assert not loaded.stem.trainable
    assert not loaded.body.layers[-1].mlp.trainable
    assert loaded.body.layers[-1].attention.trainable


def test_a_frozen_model_that_is_not_compiled(tmp_path):
    model = network()
    model.trainable = False
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert not loaded.trainable
    assert loaded.trainable_variables == []
    assert "frozen" not in network().get_config()


def test_what_was_changed_after_compile_is_kept(tmp_path):
    model = network()
    model.compile("sgd", LOSS)
    model.optimizer.weight_decay = 0.25
    model.optimizer.learning_rate = 0.5
    model.run_eagerly = True
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.optimizer.weight_decay == 0.25
    assert float(loaded.optimizer.learning_rate) == 0.5
    assert loaded.run_eagerly


def test_a_metric_that_was_sent_to_the_subnetworks_stays_there(tmp_path):
    metric = keras.metrics.SparseCategoricalAccuracy(name="each")
    metric.on_subnetworks = True
    model = MixViT(tiny_convit(num_blocks=1, num_class_blocks=1), 5)
    model.compile("sgd", LOSS, metrics=["accuracy", metric])
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.metrics[-1].on_subnetworks
    assert loaded.metrics[-1].name == "each"


def own_function(y, logits):
    return LOSS.call(y, logits)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"loss": own_function}, "loss"),
        ({"loss": lambda y, logits: LOSS.call(y, logits)}, "loss"),
        ({"loss": LOSS, "metrics": [own_function]}, "metrics"),
        ({"loss": LOSS, "weighted_metrics": [own_function]}, "weighted_metrics"),
        (
            {"loss": LOSS, "optimizer": OPTIMIZERS.SGD(lambda: 0.1)},
            "learning_rate",
        ),
    ],
)
def test_saving_warns_of_what_cannot_be_loaded(options, name, tmp_path):
    model = network()
    model.compile(**{"optimizer": "sgd", **options})
    with pytest.warns(UserWarning, match=f"`{name}` must be registered, or Keras"):
        model.save(tmp_path / "model.keras")


def test_saving_what_can_be_loaded_warns_of_nothing(tmp_path):
    model = network()
    model.compile("sgd", LOSS, metrics=["accuracy"], weighted_metrics=["accuracy"])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*registered")
        model.save(tmp_path / "model.keras")
