from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_mixvit.data import ImageSource
from keras_mixvit.data.sources._resizing import centred, cropped
from tests.data.files import noise

SIZES = [(6, 9), (8, 8), (12, 5), (7, 7), (16, 16)]


class Stored(ImageSource):
    """Images of several sizes, that counts how often each is decoded."""

    def __init__(self, image_shape=(8, 8, 3), **options):
        super().__init__(image_shape, varies=True, **options)
        self.pixels = [noise(*size, 3, seed=i) for i, size in enumerate(SIZES)]
        self.decoded = []

    def __len__(self):
        return len(self.pixels)

    def original(self, index):
        self.decoded.append(index)
        return self.pixels[index]


def expected(indices):
    pixels = Stored().pixels
    return np.stack([centred(pixels[i], (8, 8), 1.0) for i in indices])


def test_images_are_given_in_the_order_that_is_asked_for():
    np.testing.assert_array_equal(Stored().read([3, 0, 4]), expected([3, 0, 4]))


def test_an_image_asked_for_several_times_is_decoded_once():
    source = Stored()
    np.testing.assert_array_equal(source.read([2, 0, 2, 2]), expected([2, 0, 2, 2]))
    assert sorted(source.decoded) == [0, 2]


def test_the_crop_is_that_of_each_position_in_pixels_of_the_original():
    source, seen = Stored(), {}

    def crop(position, height, width):
        seen[position] = (height, width)
        return (position, 0.5, height / 2, width / 3)

    found = source.read([0, 2, 0], crop)
    assert seen == {0: SIZES[0], 1: SIZES[2], 2: SIZES[0]}
    for position, index in enumerate([0, 2, 0]):
        height, width = SIZES[index]
        box = (position, 0.5, height / 2, width / 3)
        exact = cropped(source.pixels[index], box, (8, 8))
        np.testing.assert_array_equal(found[position], exact)
    assert sorted(source.decoded) == [0, 2]


def test_indexing_is_that_of_an_array():
    array, source = expected(range(5)), Stored()
    pairs = np.array([[0, 4], [3, 3], [1, 0]])
    mask = np.array([True, False, False, True, False])
    indices = (pairs, [1, -1], slice(1, 4), slice(None, None, -2), 2, np.int64(-5))
    for index in (*indices, mask, [], slice(0)):
        found = source[index]
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, array[index])


@pytest.mark.parametrize("index", [5, -6, [0, 5]])
def test_an_index_beyond_the_images_is_refused(index):
    with pytest.raises(IndexError, match=r"An index must be in 0 to 4\."):
        Stored()[index]


def test_an_index_that_is_no_integer_is_refused():
    with pytest.raises(IndexError, match=r"An index must be of integers\. Got float"):
        Stored()[0.5]
    with pytest.raises(ValueError, match=r"Boolean index must have shape \(5,\)"):
        Stored()[np.array([True])]


def test_it_has_the_shape_and_dtype_of_an_array():
    source = Stored()
    assert source.shape == (5, 8, 8, 3)
    assert source.ndim == 4
    assert source.dtype == np.uint8
    assert source.image_size == (8, 8)
    assert [image.shape for image in source] == [(8, 8, 3)] * 5


def test_it_does_not_become_an_array_behind_the_back_of_the_user():
    text = r"Stored holds 5 images that it reads on demand\. Index it"
    with pytest.raises(TypeError, match=text):
        np.asarray(Stored())


def test_the_share_of_the_shorter_side_can_be_set():
    found = Stored(resize_share=0.5).read([4])
    np.testing.assert_array_equal(found[0], noise(16, 16, 3, seed=4)[4:12, 4:12])


def test_several_threads_read_the_same_as_one():
    source, rng = Stored(), np.random.default_rng(0)
    asked = [rng.integers(5, size=20) for _ in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(source.read, asked))
    for indices, images in zip(asked, found, strict=True):
        np.testing.assert_array_equal(images, expected(indices))


def test_an_original_of_other_channels_is_refused():
    text = r"`original` must give uint8 arrays \(h, w, 1\)\. Received: index=1, "
    with pytest.raises(ValueError, match=text):
        Stored((8, 8, 1)).read([1])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"image_shape": (8, 8)}, r"`image_shape` must be three positive integers"),
        ({"image_shape": (8, 0, 3)}, r"`image_shape` must be three positive integers"),
        ({"resize_share": 1.5}, r"`resize_share` must be in \(0, 1\]\. Received: "),
    ],
)
def test_arguments_out_of_range_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        Stored(**options)
