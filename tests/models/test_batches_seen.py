"""What a model is run on does not depend on who prepares the batches."""

import importlib.util
import warnings

import keras
import numpy as np
import pytest

from keras_mixvit import evaluate, mixed_pair_dataset
from keras_mixvit.data import ImageSet
from keras_mixvit.masks import LinearMasks
from tests.helpers import reading_threads
from tests.models.recording import RecordingModel

# Image i holds i + 2 everywhere.
X = np.arange(2, 42, dtype="uint8").reshape(40, 1, 1, 1) * np.ones((4, 4, 1), "uint8")
Y = np.arange(40) % 2


def pairs(epochs=4, **options):
    options = {"batch_size": 8, "epochs": epochs, **options}
    return mixed_pair_dataset(X, Y, LinearMasks(patch_size=2), **options)


def expected(data, epochs, steps=None):
    """The first image of every pair, computed without a model or a thread."""
    return [
        data.batch(epoch, index)[0]["images"][:, 0, 0, 0, 0].tolist()
        for epoch in epochs
        for index in range(steps or len(data))
    ]


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_training_sees_the_batches_of_its_epochs_in_order(workers):
    model, data = RecordingModel(), pairs(workers=workers)
    model.fit(data, verbose=0)
    assert model.recorder.take() == expected(data, range(4))
    # Again, resumed, and with short epochs.
    model.fit(data, verbose=0)
    assert model.recorder.take() == expected(data, range(4))
    model.fit(data, verbose=0, initial_epoch=2)
    assert model.recorder.take() == expected(data, (2, 3))
    model.fit(data, verbose=0, steps_per_epoch=2)
    assert model.recorder.take() == expected(data, range(4), steps=2)
    assert not reading_threads()


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_evaluation_sees_every_batch_once(workers):
    model = RecordingModel()
    images = ImageSet(X, Y, ("even", "odd")).batches(16, workers=workers)
    wanted = [list(range(2, 18)), list(range(18, 34)), list(range(34, 42))]
    scores = [model.evaluate(images, verbose=0) for _ in range(2)]
    assert scores[0] == scores[1]
    assert model.recorder.take() == 2 * wanted
    model.predict(images, verbose=0)
    assert model.recorder.take() == wanted
    model.evaluate(images, steps=2, verbose=0)
    assert model.recorder.take() == wanted[:2]
    assert not reading_threads()


@pytest.mark.parametrize("workers", [0, 2])
def test_validation_sees_every_batch_once(workers):
    model, data = RecordingModel(), pairs(workers=workers)
    val = ImageSet(X, Y, ("even", "odd")).batches(32, workers=workers)
    model.fit(data, validation_data=val, validation_freq=2, verbose=0)
    checked = [list(range(2, 34)), list(range(34, 42))]
    first, second = expected(data, (0, 1)), expected(data, (2, 3))
    assert model.recorder.take() == first + checked + second + checked
    assert not reading_threads()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_single_network_sees_images_in_order(workers):
    model = RecordingModel(num_subnetworks=1)
    images = ImageSet(X, Y, ("even", "odd")).batches(16, workers=workers)
    model.fit(images, epochs=2, shuffle=False, verbose=0)
    wanted = [list(range(2, 18)), list(range(18, 34)), list(range(34, 42))]
    assert model.recorder.take() == 2 * wanted


needs_tf = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed"
)


@needs_tf
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("changed", [lambda d: d, lambda d: d.prefetch(8)])
def test_a_tf_dataset_gives_the_epochs_of_the_training(workers, changed):
    model, data = RecordingModel(), pairs(workers=workers)
    served = changed(data.as_tf_dataset())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(served, epochs=4, verbose=0)
    assert model.recorder.take() == expected(data, range(4))
    model.fit(served, epochs=4, initial_epoch=3, verbose=0)
    assert model.recorder.take() == expected(data, (3,))


@needs_tf
def test_a_tf_dataset_knows_its_epochs():
    model, data = RecordingModel(), pairs(epochs=2)
    served = data.as_tf_dataset()
    model.fit(served, verbose=0)
    assert model.recorder.take() == expected(data, (0, 1))
    text = r"`epochs` must be the same as in the data set, 2\. Received: epochs=3"
    with pytest.raises(ValueError, match=text):
        model.fit(served, epochs=3)
    text = r"`steps_per_epoch` must be None with `as_tf_dataset\(\)`.*=2"
    with pytest.raises(ValueError, match=text):
        model.fit(served, steps_per_epoch=2)
    model.fit(data.first_batches(2).as_tf_dataset(), verbose=0)
    assert model.recorder.take() == expected(data, (0, 1), steps=2)


@needs_tf
def test_a_plain_model_gets_the_next_epoch_after_a_complete_one():
    data = pairs(epochs=2)
    served = data.as_tf_dataset()
    # Keras looks at a first batch and drops the iteration.
    for _ in range(2):
        next(iter(served))
    for epoch in range(2):
        seen = [x["images"].numpy()[:, 0, 0, 0, 0].tolist() for x, _ in served]
        assert seen == expected(data, (epoch,))
    with pytest.raises(Exception, match=r"`epoch` must be in 0 to 1\. Received: epoch"):
        next(iter(served))


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("workers", [0, 2])
def test_no_thread_is_left_after_an_error(workers, error):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise error

        def on_test_batch_end(self, batch, logs=None):
            raise error

    model, data = RecordingModel(), pairs(workers=workers)
    images = ImageSet(X, Y, ("even", "odd")).batches(4, workers=workers)
    with pytest.raises(error):
        model.fit(data, callbacks=[Stop()], verbose=0)
    with pytest.raises(error):
        model.evaluate(images, callbacks=[Stop()], verbose=0)
    assert not reading_threads()
    model.recorder.take()
    model.fit(data, verbose=0)
    assert model.recorder.take() == expected(data, range(4))


class Own(keras.utils.PyDataset):
    """A data set of a user."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[8 * index : 8 * index + 8], Y[8 * index : 8 * index + 8]


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_several_workers_of_keras_are_warned_of(method):
    model = RecordingModel(num_subnetworks=1)
    text = (
        rf"Keras {keras.version()} may repeat and lose batches of a PyDataset with "
        r"several workers, in the first pass over it\. Received: workers=3"
    )
    with pytest.warns(UserWarning, match=text) as caught:
        getattr(model, method)(Own(workers=3), verbose=0)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        getattr(model, method)(Own(workers=1), verbose=0)


def test_a_report_warns_of_several_workers_too():
    model = RecordingModel()
    with pytest.warns(UserWarning, match="several workers") as caught:
        evaluate(model, (Own(workers=3), Y), all_schemes=False, verbose=0)
    assert caught[0].filename == __file__
