import re

import numpy as np
import pytest

from keras_mixvit.analysis import subnetwork_attention
from tests.analysis.figures import assert_saves

pytest.importorskip("matplotlib")

RNG = np.random.default_rng(0)
GRID = (2, 3)


def attention(*shape):
    """Random weights that sum to 1 over the last axis."""
    weights = RNG.random(shape)
    return weights / weights.sum(-1, keepdims=True)


def images(count=2, channels=3):
    return RNG.integers(256, size=(count, 4, 6, channels)).astype("uint8")


def test_class_attention_is_the_mean_over_heads_without_the_class_token(tmp_path):
    pictures, weights = images(), attention(2, 2, 4, 7)
    figure, arrays = subnetwork_attention(pictures, weights, GRID, ["cat", "dog"])
    assert arrays["weights"].shape == (2, 2, 2, 3)
    for i in range(2):
        for s in range(2):
            for row in range(2):
                for column in range(3):
                    token = 1 + 3 * row + column
                    mean = sum(weights[i, s, head, token] for head in range(4)) / 4
                    expected = pytest.approx(6 * mean)
                    assert arrays["weights"][i, s, row, column] == expected
    panels = figure.axes[:6]
    assert [axes.get_title() for axes in panels[:2]] == ["cat", "dog"]
    names = [axes.texts[0].get_text() for axes in panels if axes.texts]
    assert names == ["image", "subnetwork 0", "subnetwork 1"]
    for i in range(2):
        for s in range(2):
            picture, overlay = panels[2 * (1 + s) + i].get_images()
            np.testing.assert_array_equal(overlay.get_array(), arrays["weights"][i, s])
            # Exactly over the image, with one scale for both subnetworks.
            assert overlay.get_extent() == picture.get_extent()
            assert overlay.get_clim() == (0, arrays["weights"][i].max())
    assert figure.get_supxlabel() == "attention / uniform attention"
    assert_saves(figure, tmp_path)


def test_self_attention_is_that_of_the_class_token_or_of_the_mean_query():
    pictures = images(channels=1)
    with_token, without = attention(2, 1, 4, 7, 7), attention(2, 1, 4, 6, 6)
    _, arrays = subnetwork_attention(pictures, with_token, GRID)
    expected = 6 * with_token[:, :, :, 0, 1:].mean(axis=2).reshape(2, 1, 2, 3)
    np.testing.assert_allclose(arrays["weights"], expected)
    figure, arrays = subnetwork_attention(pictures, without, GRID, count=1)
    expected = 6 * without.mean(axis=(2, 3)).reshape(2, 1, 2, 3)
    np.testing.assert_allclose(arrays["weights"], expected[:1])
    names = [axes.texts[0].get_text() for axes in figure.axes if axes.texts]
    assert names == ["image", "attention"]


def test_registers_are_left_out():
    pictures = images(channels=1)
    of_token, of_all = attention(2, 1, 4, 9), attention(2, 1, 4, 9, 9)
    for weights, expected in ((of_token, of_token), (of_all, of_all[..., 0, :])):
        _, arrays = subnetwork_attention(pictures, weights, GRID, num_prefix_tokens=3)
        expected = 6 * expected[..., 3:].mean(axis=2).reshape(2, 1, 2, 3)
        np.testing.assert_allclose(arrays["weights"], expected)


@pytest.mark.parametrize(
    "shape",
    [(2, 1, 4, 6), (2, 1, 4, 7, 6), (2, 1, 4, 8, 8), (3, 1, 4, 7), (2, 4, 7)],
)
def test_attention_that_does_not_fit_is_refused(shape):
    received = re.escape(f"Received: attention={shape}, images=2, grid_shape=(2, 3)")
    text = r"`attention` must have shape \(n, S, num_heads, 1 \+ T\), .*" + received
    with pytest.raises(ValueError, match=text):
        subnetwork_attention(images(), attention(*shape), GRID)
