"""What resizing and cropping promise, for any size."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit.data import ImageArray
from keras_mixvit.data.sources import _resizing as resizing
from keras_mixvit.data.sources._resizing import centred, cropped, resized
from tests.properties import holds

SIDES = st.tuples(st.integers(1, 60), st.integers(1, 60))
CHANNELS = st.sampled_from([1, 2, 3, 4])


def noise(size, channels, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, channels), "uint8")


@holds(few=40, many=2000, size=SIDES, channels=CHANNELS, new_size=SIDES)
def test_channels_are_resized_alike(size, channels, new_size):
    image = noise(size, channels)
    result = resized(image, new_size)
    assert result.shape == (*new_size, channels)
    assert result.dtype == np.uint8
    for channel in range(channels):
        alone = resized(image[..., channel : channel + 1], new_size)[..., 0]
        np.testing.assert_array_equal(result[..., channel], alone)
    constant = np.full((*size, channels), 77, "uint8")
    assert (resized(constant, new_size) == 77).all()
    # The layout in memory does not matter.
    np.testing.assert_array_equal(resized(np.asfortranarray(image), new_size), result)


@holds(
    few=30,
    many=1000,
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    new_size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    share=st.floats(0.2, 1),
)
def test_a_strip_is_resized_where_it_is_kept(size, new_size, share):
    # Pillow takes boxes in float32, so that a pixel at the end of its kernel may
    # fall out: in a smooth picture that hardly shows.
    image = np.add.outer(5 * np.arange(size[0]), 3 * np.arange(size[1]))
    image = image[..., None].astype("uint8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resizing, "MOST_OVERHANG", np.inf)
        whole = centred(image, new_size, share)
        patch.setattr(resizing, "MOST_OVERHANG", 0)
        kept = centred(image, new_size, share)
    np.testing.assert_allclose(kept.astype(int), whole.astype(int), atol=3)


def test_a_strip_needs_no_memory():
    strip = noise((1, 30_000), 3)
    tracemalloc.start()
    result = centred(strip, (224, 224), 0.875)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.shape == (224, 224, 3)
    assert peak < 2**24


@holds(
    few=60,
    many=3000,
    size=SIDES,
    channels=CHANNELS,
    new_size=SIDES,
    share=st.floats(0.01, 1),
)
def test_the_middle_of_any_image_has_the_wanted_size(size, channels, new_size, share):
    image = noise(size, channels)
    result = centred(image, new_size, share)
    assert result.shape == (*new_size, channels)
    assert result.dtype == np.uint8
    mirrored = centred(np.full_like(image, 9), new_size, share)
    assert (mirrored == 9).all()
    source = ImageArray(image[None], new_size, share)
    np.testing.assert_array_equal(source[0], result)


@holds(
    few=60,
    many=3000,
    size=SIDES,
    new_size=SIDES,
    corner=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    extent=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
    whole=st.booleans(),
)
def test_any_box_inside_an_image_is_cut_out(size, new_size, corner, extent, whole):
    image = noise(size, 3)
    lengths = [max(1e-2, e * s) for e, s in zip(extent, size, strict=True)]
    starts = [
        c * (s - length) for c, s, length in zip(corner, size, lengths, strict=True)
    ]
    if whole:
        lengths = [max(1, int(length)) for length in lengths]
        starts = [int(start) for start in starts]
    result = cropped(image, (*starts, *lengths), new_size)
    assert result.shape == (*new_size, 3)
    if whole:
        (top, left), (height, width) = starts, lengths
        cut = np.ascontiguousarray(image[top : top + height, left : left + width])
        np.testing.assert_array_equal(result, resized(cut, new_size))


@holds(
    few=20,
    many=500,
    size=SIDES,
    box=st.tuples(*[st.floats(-80, 80)] * 4),
)
def test_a_box_beyond_the_image_is_refused(size, box):
    top, left, height, width = box
    inside = 0 <= top < top + height <= size[0] and 0 <= left < left + width <= size[1]
    if inside:
        return
    near = top + height <= size[0] + 1e-3 and left + width <= size[1] + 1e-3
    if near and 0 <= top < top + height and 0 <= left < left + width:
        return
    with pytest.raises(ValueError, match="`crop` must give a box"):
        cropped(noise(size, 1), box, (4, 4))
