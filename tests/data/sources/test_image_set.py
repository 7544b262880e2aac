import keras
import numpy as np
import pytest

from keras_mixvit.data import ImageArray, ImageSet
from keras_mixvit.data.sources import _image_set as image_set
from tests.data.files import noise


class Counted(ImageArray):
    """Images that remember which of them were read."""

    def __init__(self, images):
        super().__init__(images)
        self.seen = []

    def read(self, indices, crop=None):
        self.seen.extend(np.asarray(indices).tolist())
        return super().read(indices, crop)


def test_statistics_do_not_depend_on_the_chunks(monkeypatch):
    images = noise(20, 4, 6, 3)
    exact = images.astype("float64").reshape(-1, 3)
    for size in (1, 4 * 6 * 3 * 7):
        monkeypatch.setattr(image_set, "CHUNK_VALUES", size)
        mean, std = ImageSet(images, np.zeros(20, int), ("one",)).statistics()
        np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(std, exact.std(axis=0), rtol=1e-12)


def test_statistics_of_large_numbers_lose_no_digits(monkeypatch):
    monkeypatch.setattr(image_set, "CHUNK_VALUES", 100)
    images = 1e6 + np.random.default_rng(0).random((20, 4, 6, 1))
    _, std = ImageSet(images, np.zeros(20, int), ("one",)).statistics()
    np.testing.assert_allclose(std, images.std(), rtol=1e-9)


def test_statistics_of_a_source_are_those_of_a_sample(monkeypatch):
    monkeypatch.setattr(image_set, "SAMPLED_IMAGES", 8)
    source = Counted(noise(50, 4, 4, 3))
    found = ImageSet(source, np.zeros(50, int), ("one",)).statistics()
    assert len(set(source.seen)) == len(source.seen) == 8
    assert source.seen == sorted(source.seen)
    sample = source.images[source.seen].reshape(-1, 3).astype("float64")
    np.testing.assert_allclose(found[0], sample.mean(axis=0))
    np.testing.assert_allclose(found[1], sample.std(axis=0))
    again = Counted(source.images)
    ImageSet(again, np.zeros(50, int), ("one",)).statistics()
    assert again.seen == source.seen


def test_published_statistics_are_given_as_they_are():
    source = Counted(noise(5, 4, 4, 3))
    images = ImageSet(source, np.zeros(5, int), ("one",), (1, 2, 3), (4, 5, 6))
    assert images.statistics() == ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert not source.seen


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        ((1.0,), (1.0,), r"`mean` and `std` must both be None or 3 numbers"),
        ((1.0,) * 3, None, r"`mean` and `std` must both be None or 3 numbers"),
        ((1.0,) * 3, (1.0, 0.0, 1.0), r"`std` must be positive\. Received: std="),
    ],
)
def test_statistics_that_do_not_fit_are_refused(mean, std, text):
    with pytest.raises(ValueError, match=text):
        ImageSet(noise(5, 4, 4, 3), np.zeros(5, int), ("one",), mean, std)


def test_a_source_and_labels_of_other_length_are_refused():
    with pytest.raises(ValueError, match=r"Received: images=5, labels=4"):
        ImageSet(ImageArray(noise(5, 4, 4, 3)), np.zeros(4, int), ("one",))


@pytest.mark.parametrize("source", [ImageArray, np.asarray])
def test_batches_are_all_images_in_order(source):
    pixels, labels = noise(10, 4, 4, 3), np.arange(10)
    data = ImageSet(source(pixels), labels, tuple("abcdefghij"))
    batches = data.batches(4)
    assert isinstance(batches, keras.utils.PyDataset)
    found = [batches[i] for i in range(len(batches))]
    assert [len(images) for images, _ in found] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in found]), pixels)
    np.testing.assert_array_equal(np.concatenate([y for _, y in found]), labels)
    with pytest.raises(IndexError, match=r"`index` must be in 0 to 2\. Got 3\."):
        batches[3]


def test_batches_of_floats_are_float32():
    data = ImageSet(np.zeros((3, 4, 4, 1)), np.zeros(3, int), ("one",))
    assert data.batches(2)[0][0].dtype == np.float32


def test_a_batch_size_of_none_is_refused():
    data = ImageSet(np.zeros((3, 4, 4, 1)), np.zeros(3, int), ("one",))
    with pytest.raises(ValueError, match=r"`batch_size` must be an integer of at"):
        data.batches(0)


def test_keras_evaluates_and_predicts_batches_of_a_source():
    pixels, labels = noise(10, 4, 4, 1) // 2, np.arange(10) % 2
    # The brightest pixel of seven images is that of their class.
    pixels[range(7), 0, labels[:7]] = 255
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, metrics=["accuracy"], run_eagerly=True)
    batches = ImageSet(ImageArray(pixels), labels, ("a", "b")).batches(4, workers=2)
    found = model.predict(batches, verbose=0)
    np.testing.assert_array_equal(found, pixels.reshape(10, -1))
    accuracy = model.evaluate(batches, verbose=0, return_dict=True)["accuracy"]
    assert accuracy == pytest.approx(np.mean(found.argmax(axis=1) == labels))
