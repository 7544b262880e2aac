"""An error within a step loses no more than that step."""

import os
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_mixvit import Ensemble, SingleNetwork, evaluate
from keras_mixvit._kept_steps import Run, kept_steps, remembering
from keras_mixvit.backbones import WideResNet
from keras_mixvit.models._attention_maps import attention_network
from tests.helpers import LOSS, images, numpy
from tests.small_training import (
    LAST,
    Batches,
    assert_same,
    fails,
    notes_of,
    small_model,
    state_of,
    with_state,
)

BACKEND = keras.config.backend()


@pytest.fixture(autouse=True)
def _hears_ctrl_c():
    # A process that a shell starts in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def states(model):
    """What the model is after 0 to 4 steps, and after a second epoch."""
    found = [state_of(model)]
    for index in range(LAST + 1):
        model.train_on_batch(*Batches()[index])
        found.append(state_of(model))
    model.fit(Batches(), shuffle=False, verbose=0)
    return [*found, state_of(model)]


@pytest.fixture
def fresh(model, states):
    """The model before its first step."""
    return with_state(model, states[0])


@pytest.mark.parametrize(
    ("at", "error"), [(0, OSError), (2, KeyboardInterrupt), (LAST, OSError)]
)
def test_an_error_while_training_keeps_the_last_finished_step(
    fresh, states, tmp_path, at, error
):
    fails(fresh.fit, Batches(at, error), shuffle=False, verbose=0)
    assert_same(state_of(fresh), states[at])
    fresh.predict(images(4), verbose=0)
    fresh.save(tmp_path / "model.keras")
    for index in range(at, LAST + 1):
        fresh.train_on_batch(*Batches()[index])
    assert_same(state_of(fresh), states[LAST + 1])
    fresh.fit(Batches(), shuffle=False, verbose=0)
    assert_same(state_of(fresh), states[-1])


@pytest.mark.parametrize(
    ("at", "error"), [(0, OSError), (2, KeyboardInterrupt), (LAST, OSError)]
)
@pytest.mark.parametrize("name", ["evaluate", "predict"])
def test_an_error_while_looking_on_changes_nothing(fresh, states, name, at, error):
    before = numpy(fresh(images(3)))
    data = Batches(at, error, with_labels=name == "evaluate")
    fails(getattr(fresh, name), data, verbose=0)
    assert_same(state_of(fresh), states[0], atol=0)
    np.testing.assert_array_equal(numpy(fresh(images(3))), before)
    fresh.fit(Batches(), shuffle=False, verbose=0)
    assert_same(state_of(fresh), states[LAST + 1])


def test_an_error_in_the_validation_keeps_the_epoch(fresh, states):
    options = {"validation_data": Batches(2), "shuffle": False, "verbose": 0}
    fails(fresh.fit, Batches(), **options)
    assert_same(state_of(fresh), states[LAST + 1])
    fresh.fit(Batches(), shuffle=False, verbose=0)
    assert_same(state_of(fresh), states[-1])


class Raising(keras.callbacks.Callback):
    """Raises an error at one of the events of a run."""

    def __init__(self, event, at=0):
        super().__init__()

        def raised(index=None, logs=None):
            if (index or 0) == at:
                raise KeyboardInterrupt

        setattr(self, event, raised)


@pytest.mark.parametrize(
    ("name", "event", "at", "steps"),
    [
        ("fit", "on_train_begin", 0, 0),
        ("fit", "on_train_batch_begin", 1, 1),
        ("fit", "on_train_batch_end", 0, 1),
        ("fit", "on_train_batch_end", LAST, LAST + 1),
        ("fit", "on_epoch_end", 0, LAST + 1),
        ("evaluate", "on_test_batch_end", 1, 0),
        ("predict", "on_predict_batch_end", 1, 0),
    ],
)
def test_an_error_in_a_callback(fresh, states, name, event, at, steps):
    data = Batches(with_labels=name != "predict")
    options = {"shuffle": False} if name == "fit" else {}
    with pytest.raises(KeyboardInterrupt):
        getattr(fresh, name)(data, callbacks=[Raising(event, at)], verbose=0, **options)
    assert_same(state_of(fresh), states[steps])
    for index in range(steps, LAST + 1):
        fresh.train_on_batch(*Batches()[index])
    assert_same(state_of(fresh), states[LAST + 1])


def test_a_callback_may_survive_a_failed_evaluation(fresh, states):
    class Careless(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            fails(self.model.evaluate, Batches(2), verbose=0)

    fresh.fit(Batches(), shuffle=False, verbose=0, callbacks=[Careless()])
    assert_same(state_of(fresh), states[LAST + 1])


def test_steps_on_one_batch_that_fail(fresh, states):
    bad = np.zeros((4, 7, 3, 3), "float32")
    for run in (fresh.train_on_batch, fresh.test_on_batch):
        fails(run, bad, np.arange(4))
        assert_same(state_of(fresh), states[0], atol=0)
    fails(fresh.predict_on_batch, bad)
    assert_same(state_of(fresh), states[0], atol=0)
    fresh.predict_on_batch(images(4))
    fresh.test_on_batch(*Batches()[0])
    fresh.train_on_batch(*Batches()[0])
    assert_same(state_of(fresh), states[1])


def test_weights_set_after_an_error_stay(fresh):
    fails(fresh.evaluate, Batches(2), verbose=0)
    fresh.set_weights([np.ones_like(weight) for weight in fresh.get_weights()])
    ones = state_of(fresh)
    # On JAX, Keras still holds what the failed evaluation left.
    fails(fresh.evaluate, Batches(0), verbose=0)
    assert_same(state_of(fresh), ones)

    class Looking(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.found = state_of(self.model)
            raise KeyboardInterrupt

    looking = Looking()
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(Batches(), verbose=0, callbacks=[looking])
    assert_same(looking.found, ones)
    assert_same(state_of(fresh), ones)


def test_graphs_and_reports_keep_the_weights(fresh, states):
    failing = Batches(2, with_labels=False)
    for network in (
        fresh.inference_network,
        fresh.ensemble(),
        attention_network(fresh, None),
        Ensemble([fresh]),
        fresh.backbone,
    ):
        fails(network.predict, failing, verbose=0)
        assert_same(state_of(fresh), states[0], atol=0)
    fails(evaluate, fresh, (failing, np.arange(16) % 5), batch_size=4, verbose=0)
    assert_same(state_of(fresh), states[0], atol=0)
    assert len(fresh.attention_maps(images(2))) == 2
    fresh.fit(Batches(), shuffle=False, verbose=0)
    assert_same(state_of(fresh), states[LAST + 1])


@pytest.mark.skipif(BACKEND != "jax", reason="Elsewhere variables hold the state.")
def test_several_steps_in_one_call(states):
    model = with_state(small_model(steps_per_execution=3), states[0])
    fails(model.fit, Batches(2), shuffle=False, verbose=0)
    assert_same(state_of(model), states[0])
    with_state(model, states[0])
    fails(model.fit, Batches(LAST), shuffle=False, verbose=0)
    assert_same(state_of(model), states[LAST])


@pytest.mark.parametrize("eagerly", [True, False])
def test_an_error_in_a_step_keeps_statistics_and_seeds(eagerly):
    problems = []

    def failing(y, logits):
        if problems:
            raise problems[0]
        return LOSS.call(y, logits)

    backbone = WideResNet((8, 12, 3), depth=10, widening=1)
    model = SingleNetwork(backbone, 5)
    model.compile("sgd", failing, run_eagerly=eagerly)
    # `compile` calls the loss to see what it takes.
    problems.append(OSError("The loss fails."))
    before = model.get_weights()
    fails(model.train_on_batch, images(4), np.arange(4))
    assert_same(model.get_weights(), before)
    model.predict(images(4), verbose=0)


@pytest.mark.skipif(BACKEND == "jax", reason="Its steps run no Python.")
def test_ctrl_c_waits_for_the_end_of_the_step(states):
    steps = []

    def interrupting(y, logits):
        steps[:] = [step + 1 for step in steps]
        if steps == [2]:
            os.kill(os.getpid(), signal.SIGINT)
        return LOSS.call(y, logits)

    model = small_model()
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1)
    model.compile(optimizer, interrupting, run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    # Keras calls the loss once before it trains.
    model.train_on_batch(*Batches()[0])
    steps.append(0)
    with_state(model, states[0])
    with pytest.raises(KeyboardInterrupt):
        model.fit(Batches(), shuffle=False, verbose=0)
    assert_same(state_of(model), states[2])


@pytest.mark.skipif(BACKEND != "jax", reason="Elsewhere variables hold the state.")
def test_ctrl_c_in_a_step_on_jax_loses_nothing():
    def stepping(state, batches):
        os.kill(os.getpid(), signal.SIGINT)
        return next(batches), ("new",)

    run = Run()
    runs = SimpleNamespace(open=[run])
    model = SimpleNamespace(steps_per_execution=1, _runs_of_steps=runs)
    step = remembering(model, stepping)
    with pytest.raises(KeyboardInterrupt):
        step(("old",), iter([1, 2]))
    assert run.state == ("new",)
    assert run.is_finished


@pytest.mark.skipif(BACKEND != "jax", reason="Elsewhere variables hold the state.")
def test_weights_that_are_lost_for_good_are_reported(states):
    model = small_model()

    def failing():
        with kept_steps(model):
            for variable in model.trainable_variables:
                variable.value.delete()
            raise OSError("The device fails.")

    with pytest.raises(OSError, match="The device fails") as error:
        failing()
    assert notes_of(error.value) == [
        "The failed step has consumed the weights of 'single_network': load them "
        "again before you continue."
    ]
