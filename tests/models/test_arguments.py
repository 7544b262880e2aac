"""Arguments that would have no effect are refused; others have theirs."""

import keras
import numpy as np
import pytest

from keras_mixvit import mixed_pair_dataset
from keras_mixvit.data import ImageSet
from keras_mixvit.masks import ConstantMasks
from tests.models.recording import RecordingModel

X, Y = (
    np.arange(2, 14, dtype="uint8")[:, None, None, None] * np.ones((4, 4, 1), "uint8"),
    np.arange(12) % 2,
)
WEIGHTS = np.ones(12, "float32")
BATCHES = ImageSet(X, Y, ("a", "b")).batches(4)


def pairs(**options):
    options = {"epochs": 2, "batch_size": 4, **options}
    return mixed_pair_dataset(X, Y, ConstantMasks(2, 2), **options)


def arrays():
    return mixed_pair_dataset(X, Y, ConstantMasks(2, 2), epochs=1, batch_size=12)[0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"batch_size": 7}, r"`batch_size` must not be set .*: the data set has its"),
        ({"y": Y}, r"`y` must not be set .*: the data set gives the labels"),
        ({"sample_weight": WEIGHTS}, r"`sample_weight` must not be set .*_weight=w"),
        ({"validation_split": 0.5}, "`validation_split` must not be set .*: pass `va"),
        ({"shuffle": True}, "`shuffle` must not be set for mixed pairs: `mixed_pair_"),
        ({"shuffle": False}, "`shuffle` must not be set for mixed pairs"),
        ({"validation_batch_size": 4}, "`validation_batch_size` must not be set with"),
        ({"validation_steps": 1}, "`validation_steps` must not be set without `valid"),
        (
            {"validation_data": BATCHES, "validation_batch_size": 4},
            "`validation_batch_size` must not be set if `validation_data` is a data ",
        ),
        ({"initial_epoch": 3}, r"`initial_epoch` must be in 0 to 2, the number of ep"),
        ({"initial_epoch": -1}, r"`initial_epoch` must be in 0 to 2, the number of e"),
    ],
)
def test_fit_refuses_what_a_data_set_ignores(options, text):
    with pytest.raises(ValueError, match=text + ".* Received: "):
        RecordingModel().fit(pairs(), verbose=0, **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"batch_size": 7}, "`batch_size` must not be set where `x` is a data set"),
        ({"y": Y}, "`y` must not be set where `x` is a data set"),
        ({"sample_weight": WEIGHTS}, "`sample_weight` must not be set where `x` is a"),
    ],
)
def test_evaluate_refuses_what_a_data_set_ignores(options, text):
    with pytest.raises(ValueError, match=text + ".* Received: "):
        RecordingModel().evaluate(BATCHES, verbose=0, **options)


def test_predict_refuses_what_a_data_set_ignores():
    with pytest.raises(ValueError, match="`batch_size` must not be set where `x` is"):
        RecordingModel().predict(BATCHES, batch_size=3, verbose=0)


def test_parts_of_mixed_pairs_are_no_validation():
    text = r"`validation_split` must be 0 for mixed pairs, .* Received: validation_sp"
    with pytest.raises(ValueError, match=text):
        RecordingModel().fit(*arrays(), validation_split=0.25, verbose=0)


def test_arrays_take_these_arguments():
    model = RecordingModel(num_subnetworks=1)
    history = model.fit(
        X,
        Y,
        batch_size=3,
        shuffle=False,
        validation_split=0.25,
        validation_batch_size=2,
        sample_weight=WEIGHTS,
        verbose=0,
    ).history
    assert model.recorder.take() == [[2, 3, 4], [5, 6, 7], [8, 9, 10], [11, 12], [13]]
    assert "val_loss" in history
    model.fit(X, Y, batch_size=12, shuffle=True, verbose=0)
    (seen,) = model.recorder.take()
    assert sorted(seen) == list(range(2, 14))


def test_arrays_are_validated_on_a_data_set():
    model = RecordingModel()
    model.fit(*arrays(), batch_size=6, validation_data=BATCHES, verbose=0)
    assert model.recorder.take()[2:] == [[2, 3, 4, 5], [6, 7, 8, 9], [10, 11, 12, 13]]


class Counter(keras.callbacks.Callback):
    """Counts the ends of batches."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append("train")

    def on_test_batch_end(self, batch, logs=None):
        self.seen.append("test")

    def on_predict_batch_end(self, batch, logs=None):
        self.seen.append("predict")


@pytest.mark.parametrize("form", ["list", "of nothing", "of a model", "alone"])
def test_callbacks_come_in_every_form_of_keras(form):
    model, counter = RecordingModel(), Counter()
    form_of = {
        "list": lambda: [counter],
        "of nothing": lambda: keras.callbacks.CallbackList([counter]),
        "of a model": lambda: keras.callbacks.CallbackList([counter], model=model),
        "alone": lambda: counter,
    }[form]
    history = model.fit(
        pairs(), validation_data=BATCHES, callbacks=form_of(), verbose=0
    ).history
    assert counter.seen == 2 * (3 * ["train"] + 3 * ["test"])
    assert len(history["loss"]) == len(history["val_loss"]) == 2
    counter.seen.clear()
    model.evaluate(BATCHES, callbacks=form_of(), verbose=0)
    model.predict(BATCHES, callbacks=form_of(), verbose=0)
    assert counter.seen == 3 * ["test"] + 3 * ["predict"]


def test_a_callback_list_can_be_used_again():
    model, counter = RecordingModel(), Counter()
    callbacks = keras.callbacks.CallbackList([counter])
    for _ in range(2):
        model.fit(pairs(), callbacks=callbacks, verbose=0)
    assert callbacks.callbacks == [counter]
    assert len(counter.seen) == 12
