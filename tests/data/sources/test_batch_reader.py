import copy
import pickle
import threading
import time

import numpy as np
import pytest

from keras_mixvit.augmentation import Augment, KerasLayer
from keras_mixvit.data import ImageSet, mixed_pair_dataset
from keras_mixvit.data.sources._batch_reader import BatchReader
from keras_mixvit.masks import LinearMasks
from tests.helpers import reading_threads


class Numbers(BatchReader):
    """Batches that are their index, which remember who was prepared."""

    def __init__(self, workers, count=20, fails_at=()):
        super().__init__(workers)
        self.count, self.fails_at = count, fails_at
        self.prepared = []

    def __len__(self):
        return self.count

    def _read(self, index):
        self.prepared.append(index)
        if index in self.fails_at:
            raise OSError(f"image {index}")
        return index


def settled(reader):
    """Waits until nothing more is prepared."""
    before = None
    while before != len(reader.prepared):
        before = len(reader.prepared)
        time.sleep(0.05)
    return sorted(reader.prepared)


def threads_end():
    """Whether the threads that prepare batches end by themselves."""
    deadline = time.monotonic() + 60
    while reading_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not reading_threads()


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_every_batch_is_prepared_once_and_given_in_order(workers):
    reader = Numbers(workers)
    for _ in range(2):
        reader.prepared.clear()
        assert [reader[index] for index in range(20)] == list(range(20))
        assert sorted(reader.prepared) == list(range(20))
        assert threads_end()


@pytest.mark.parametrize("workers", [1, 3])
def test_it_looks_a_bounded_number_of_batches_ahead(workers):
    reader = Numbers(workers)
    # A single batch starts nothing.
    assert reader[4] == 4
    assert settled(reader) == [4]
    assert reader[5] == 5
    assert settled(reader) == list(range(4, 6 + 2 * workers))
    reader.close()
    assert not reading_threads()
    assert reader[6] == 6


def test_batches_in_any_order_are_right():
    reader = Numbers(workers=2)
    order = np.random.default_rng(0).integers(20, size=200).tolist()
    assert [reader[index] for index in order] == order
    reader.close()


def test_an_error_comes_with_the_batch_that_has_it():
    reader = Numbers(workers=2, fails_at=(3,))
    assert [reader[index] for index in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="image 3"):
        reader[3]
    assert reader[4] == 4
    reader.close()
    assert not reading_threads()


def test_threads_end_with_a_data_set_that_is_forgotten():
    reader = Numbers(workers=2)
    assert [reader[index] for index in range(5)] == list(range(5))
    assert reading_threads()
    del reader
    assert threads_end()


@pytest.mark.parametrize("copied", [copy.copy, lambda r: pickle.loads(pickle.dumps(r))])
def test_a_copy_has_threads_of_its_own(copied):
    reader = Numbers(workers=1)
    assert [reader[index] for index in range(3)] == [0, 1, 2]
    other = copied(reader)
    assert [other[index] for index in range(3)] == [0, 1, 2]
    other.close()
    assert [reader[index] for index in range(3, 20)] == list(range(3, 20))


def test_batches_are_prepared_while_others_are_used():
    started = threading.Event()

    class Slow(Numbers):
        def _read(self, index):
            if index == 2:
                started.set()
            return super()._read(index)

    reader = Slow(workers=1)
    assert (reader[0], reader[1]) == (0, 1)
    assert started.wait(60)
    reader.close()


def pairs(**options):
    x, y = np.zeros((8, 4, 4, 1), "uint8"), np.arange(8) % 2
    options = {"epochs": 1, "batch_size": 4, **options}
    return mixed_pair_dataset(x, y, LinearMasks(2), **options)


def batches(**options):
    x, y = np.zeros((8, 4, 4, 1), "uint8"), np.arange(8) % 2
    return ImageSet(x, y, ("a", "b")).batches(4, **options)


@pytest.mark.parametrize("made", [pairs, batches])
@pytest.mark.parametrize("workers", [-1, 1.5, True])
def test_workers_must_be_a_number_of_threads(made, workers):
    text = rf"`workers` must be an integer of at least 0\. Received: workers={workers}"
    with pytest.raises(ValueError, match=text):
        made(workers=workers)


@pytest.mark.parametrize("made", [pairs, batches])
def test_keras_sees_one_worker(made):
    data = made(workers=4)
    assert (data.workers, data.use_multiprocessing) == (1, False)
    assert data.reading_workers == 4
    with pytest.raises(ValueError, match=r"`workers` must not be set: Keras's own thr"):
        data.workers = 2
    with pytest.raises(ValueError, match="`use_multiprocessing` must not be set"):
        data.use_multiprocessing = True


def test_a_keras_layer_augments_in_the_thread_of_the_training():
    import keras

    augment = Augment([KerasLayer(keras.layers.RandomFlip())])
    assert pairs(augment=augment).reading_workers == 0
    assert pairs().reading_workers == 1
    text = r"`workers` must be 0 or None with an augmentation .* Received: workers=2"
    with pytest.raises(ValueError, match=text):
        pairs(augment=augment, workers=2)


@pytest.mark.parametrize(
    ("steps", "last"), [(1, 4), (2, 4), (3, 1)], ids=["one", "two", "all"]
)
def test_the_first_batches_are_those_of_the_whole(steps, last):
    x, y = np.arange(9 * 16, dtype="uint8").reshape(9, 4, 4, 1), np.arange(9) % 2
    whole = mixed_pair_dataset(
        x, y, LinearMasks(2), epochs=2, batch_size=4, drop_remainder=False
    )
    part = whole.first_batches(steps)
    assert (len(part), part.last_batch_size) == (steps, last)
    part.epoch = 1
    for index in range(steps):
        inputs, labels = part[index]
        expected, expected_labels = whole.batch(1, index)
        np.testing.assert_array_equal(inputs["images"], expected["images"])
        np.testing.assert_array_equal(labels, expected_labels)
    with pytest.raises(IndexError, match=rf"`index` must be in 0 to {steps - 1}"):
        part[steps]


@pytest.mark.parametrize("steps", [0, 3, 1.5, True])
def test_an_epoch_has_no_more_batches_than_there_are(steps):
    text = rf"`steps_per_epoch` must be in 1 to 2, .* Received: steps_per_epoch={steps}"
    with pytest.raises(ValueError, match=text):
        pairs().first_batches(steps)
