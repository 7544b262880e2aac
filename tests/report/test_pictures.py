import base64
import io

import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork
from keras_mixvit.analysis import subnetwork_attention
from keras_mixvit.backbones import ConViT, ViT, WideResNet
from keras_mixvit.report._pictures import (
    BUDGET,
    attention_of,
    displayed,
    file_uri,
    overlaid,
    png_uri,
    side_for,
)

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")
RNG = np.random.default_rng(0)


def opened(uri):
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.one_backend
def test_small_images_are_stored_as_they_are():
    pixels = RNG.integers(256, size=(5, 7, 3)).astype("uint8")
    np.testing.assert_array_equal(opened(png_uri(pixels, 16)), pixels)


@pytest.mark.one_backend
def test_large_images_are_made_smaller_in_their_shape():
    pixels = np.full((60, 30, 3), 9, "uint8")
    found = opened(png_uri(pixels, 20))
    assert found.shape == (20, 10, 3)
    assert (found == 9).all()


@pytest.mark.one_backend
@pytest.mark.parametrize("count", [1, 100, 1000, 3000])
def test_all_pictures_fit_into_a_page_even_if_they_are_noise(count):
    side = side_for(count)
    noise = RNG.integers(256, size=(200, 200, 3)).astype("uint8")
    size = len(base64.b64decode(png_uri(noise[:side, :side], side).split(",")[1]))
    assert side >= 16
    assert size * count <= BUDGET * 1.4


@pytest.mark.one_backend
def test_values_become_bytes():
    grey = np.array([[[[0.0], [0.5], [1.0]]]])
    assert displayed(grey)[0, 0].tolist() == [[0] * 3, [128] * 3, [255] * 3]
    centred = np.array([[[[-1.0] * 3, [0.0] * 3, [1.0] * 3]]])
    assert displayed(centred)[0, 0, :, 0].tolist() == [0, 128, 255]
    colour = RNG.integers(256, size=(2, 4, 4, 3)).astype("uint8")
    np.testing.assert_array_equal(displayed(colour), colour)
    # The digits end at 16.
    dark = np.array([[[[0], [8], [16]]]], "uint8")
    assert displayed(dark)[0, 0, :, 0].tolist() == [0, 128, 255]
    odd = np.array([[[[np.nan] * 4, [np.inf] * 4, [0.0] * 4]]])
    assert displayed(odd).shape == (1, 1, 3, 3)
    assert displayed(np.zeros((0, 2, 2, 1), "float32")).shape == (0, 2, 2, 3)
    assert displayed(np.zeros((1, 2, 2, 1))).max() == 0


@pytest.mark.one_backend
def test_maps_lie_over_their_parts_of_the_image():
    import matplotlib

    image = np.full((5, 6, 3), 51, "uint8")
    found = overlaid(image, np.array([[0.0, 1.0], [2.0, 0.0]]), 2.0)
    colours = matplotlib.colormaps["viridis"]
    for (row, column), share in {(0, 0): 0, (2, 5): 0.5, (4, 0): 1}.items():
        expected = 255 * (0.4 * 0.2 + 0.6 * np.array(colours(float(share))[:3]))
        np.testing.assert_allclose(found[row, column], expected, atol=0.51)
    assert overlaid(image, np.zeros((2, 2)), 0.0).shape == (5, 6, 3)


@pytest.mark.one_backend
def test_a_picture_is_made_small_enough(tmp_path):
    noise = RNG.integers(256, size=(90, 120, 3)).astype("uint8")
    Image.fromarray(noise).save(tmp_path / "noise.png")
    whole = file_uri(tmp_path / "noise.png", 100_000)
    np.testing.assert_array_equal(opened(whole), noise)
    small = file_uri(tmp_path / "noise.png", 8000)
    assert len(small) * 3 / 4 <= 8000
    height, width = opened(small).shape[:2]
    assert width / height == pytest.approx(120 / 90, rel=0.05)


@pytest.mark.parametrize(
    ("backbone", "prefix"),
    [
        (lambda: ConViT((8, 8, 1), 2, 8, 2, 1, 1), 1),
        (lambda: ViT((8, 8, 1), 2, 8, 2, 1, 1, num_registers=2), 3),
    ],
)
def test_attention_is_that_of_the_last_block(backbone, prefix):
    model = MixViT(backbone(), num_classes=3)
    images = RNG.random((3, 8, 8, 1)).astype("float32")
    found = attention_of(model, images)
    maps = model.attention_maps(images)
    last = maps[list(maps)[-1]]
    _, arrays = subnetwork_attention(
        images, last, (4, 4), count=3, num_prefix_tokens=prefix
    )
    np.testing.assert_allclose(found, arrays["weights"], rtol=1e-5)


def test_what_has_no_attention_has_no_maps():
    model = SingleNetwork(WideResNet((8, 8, 1), depth=10, widening=1), 3)
    assert attention_of(model, np.zeros((1, 8, 8, 1), "float32")) is None
