import pickle

import numpy as np
import pytest

from keras_mixvit.data import ImageArray
from keras_mixvit.data.sources._resizing import centred, cropped
from tests.data.files import noise

PIXELS = noise(6, 8, 10, 3)


def test_a_file_stays_on_the_disk(tmp_path):
    np.save(tmp_path / "x.npy", PIXELS)
    images = ImageArray(tmp_path / "x.npy")
    assert isinstance(images.images, np.memmap)
    assert not isinstance(images[:], np.memmap)
    assert (images.shape, images.varies) == (PIXELS.shape, False)
    np.testing.assert_array_equal(images[[[4, 4], [0, 1]]], PIXELS[[[4, 4], [0, 1]]])


def test_images_are_resized_when_they_are_read():
    images = ImageArray(PIXELS, (16, 16))
    assert (images.shape, images.varies) == ((6, 16, 16, 3), True)
    expected = np.stack([centred(PIXELS[i], (16, 16), 1.0) for i in (5, 2)])
    np.testing.assert_array_equal(images.read([5, 2]), expected)


def test_a_crop_is_of_the_stored_image():
    found = ImageArray(PIXELS).read([3], lambda position, h, w: (1, 2, 4, 5))
    np.testing.assert_array_equal(found[0], cropped(PIXELS[3], (1, 2, 4, 5), (8, 10)))


def test_what_is_no_array_of_images_is_refused(tmp_path):
    text = r"`images` must be uint8 of shape \(n, H, W, C\)\. Received: dtype='float"
    with pytest.raises(ValueError, match=text):
        ImageArray(np.zeros((2, 4, 4, 3)))
    path = tmp_path / "x.npy"
    np.save(path, np.array([{}]), allow_pickle=True)
    text = r"intact \.npy file without pickled objects\. Received: file='.*x\.npy'"
    with pytest.raises(ValueError, match=text):
        ImageArray(path)
    path.write_bytes(pickle.dumps(PIXELS))
    with pytest.raises(ValueError, match=text):
        ImageArray(path)
    np.save(path, PIXELS)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=text):
        ImageArray(path)
