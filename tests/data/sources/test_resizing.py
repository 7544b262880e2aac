import sys

import numpy as np
import pytest
from PIL import Image

from keras_mixvit.data.sources._resizing import centred, cropped, default_share, resized
from tests.data.files import noise


def bicubic(pixels, size, box=None):
    """Pillow itself, size and box in its own order: width first."""
    image = Image.fromarray(pixels)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box))


@pytest.mark.parametrize(
    ("shape", "size", "share", "resized_to", "corner"),
    [
        # The shorter side to 32, the longer to 100 * 32 / 60 rounded down.
        ((60, 100), (32, 32), 1.0, (32, 53), (0, 10)),
        ((100, 60), (32, 32), 1.0, (53, 32), (10, 0)),
        # 128 / 0.875 = 146.3; 300 * 146 / 200 = 219.
        ((200, 300), (128, 128), 0.875, (146, 219), (9, 46)),
        # Smaller images are enlarged.
        ((10, 20), (32, 32), 1.0, (32, 64), (0, 16)),
        # The height decides although it is the longer side: 24 : 8 > 50 : 30.
        ((50, 30), (24, 8), 1.0, (24, 14), (0, 3)),
    ],
)
def test_the_middle_of_the_resized_image_is_taken(
    shape, size, share, resized_to, corner
):
    pixels = noise(*shape, 3)
    whole = bicubic(pixels, resized_to[::-1])
    top, left = corner
    expected = whole[top : top + size[0], left : left + size[1]]
    np.testing.assert_array_equal(centred(pixels, size, share), expected)


def test_an_image_of_the_size_stays_as_it_is():
    pixels = noise(160, 160, 3)
    np.testing.assert_array_equal(centred(pixels, (160, 160), 0.875), pixels)


def test_an_image_of_the_resized_size_is_only_cropped():
    pixels = noise(146, 146, 3)
    expected = pixels[9:137, 9:137]
    np.testing.assert_array_equal(centred(pixels, (128, 128), 0.875), expected)


def test_the_share_is_that_of_imagenet_from_128_pixels_on():
    assert default_share((128, 256)) == 0.875
    assert default_share((127, 256)) == 1.0


def test_a_box_of_fractions_is_resized_as_pillow_does():
    pixels = noise(20, 30, 3)
    # The kernel sees no pixel that the box does not touch.
    part = pixels[2:14, 4:25]
    expected = bicubic(part, (8, 6), (0.25, 0.5, 0.25 + 20.5, 0.5 + 10.75))
    found = cropped(pixels, (2.5, 4.25, 10.75, 20.5), (6, 8))
    np.testing.assert_array_equal(found, expected)


def test_a_box_of_whole_pixels_is_cut_out_before():
    pixels = noise(20, 30, 3)
    found = cropped(pixels, (2, 4, 10, 20), (6, 8))
    np.testing.assert_array_equal(found, bicubic(pixels[2:12, 4:24], (8, 6)))


def test_a_box_may_end_at_the_border_but_for_a_rounding():
    pixels = noise(20, 30, 3)
    found = cropped(pixels, (0.1, 0.0, 19.9 + 1e-4, 30.0), (6, 8))
    expected = cropped(pixels, (0.1, 0.0, 19.9, 30.0), (6, 8))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "box",
    [(-1, 0, 5, 5), (0, -1, 5, 5), (16, 0, 5, 5), (0, 26, 5, 5), (0, 0, 0, 5)],
)
def test_a_box_beyond_the_image_is_refused(box):
    text = r"`crop` must give a box \(top, left, height, width\) inside the image\. "
    with pytest.raises(ValueError, match=text + r"Received: box="):
        cropped(noise(20, 30, 3), box, (6, 8))


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_channels_are_resized_each_for_itself(channels):
    pixels = noise(9, 7, channels)
    found = resized(pixels, (4, 6))
    for c in range(channels):
        expected = bicubic(np.ascontiguousarray(pixels[..., c]), (6, 4))
        np.testing.assert_array_equal(found[..., c], expected)


def test_without_pillow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs Pillow: pip install"):
        resized(noise(4, 4, 3), (2, 2))
