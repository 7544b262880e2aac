"""How often, how much and with whom inputs are mixed."""

import numpy as np
import pytest

from keras_mixvit.data import PixelMixing
from keras_mixvit.data._pixel_mixing import pixel_shares
from keras_mixvit.masks import LinearMasks
from tests.data.pairs import indices
from tests.data.test_pixel_mixing import ALWAYS, COUNT, ONE, batches, mixed, share_of


def ratios(mixing, members=2, count=4000):
    """Shares that are drawn for many samples under equal masks."""
    masks = np.full((count, members, 2, 2), 1 / members, "float32")
    rng = np.random.default_rng(0)
    return mixing.draw(rng, (count, members), (4, 4), masks)


@pytest.mark.parametrize(("probability", "limit"), [(0.0, 0), (0.5, 0.035), (1.0, 0)])
def test_the_probability_is_of_each_input_on_its_own(probability, limit):
    _, shares = ratios(PixelMixing("mixup", probability))
    is_mixed = shares < 1
    for member in range(2):
        assert abs(is_mixed[:, member].mean() - probability) <= limit
    assert abs(is_mixed.all(axis=1).mean() - probability**2) <= limit


def test_the_default_is_cutmix_of_half_the_inputs():
    assert PixelMixing() == PixelMixing("cutmix", 0.5, 1.0)
    own, images, _, labels = (
        np.concatenate(part) for part in zip(*batches(ONE, PixelMixing()), strict=True)
    )
    untouched = np.all(images == own[..., None, None], axis=(2, 3))
    # A box may hold the whole image, or the image may be its own partner.
    assert 0.4 < untouched.mean() < 0.65
    np.testing.assert_array_equal(share_of(labels, own)[untouched], 1)


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_ratios_are_of_a_beta_distribution(alpha):
    _, shares = ratios(PixelMixing("mixup", 1.0, alpha), members=1)
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (8 * alpha + 4), rel=0.1)


def test_boxes_have_the_mean_size_of_clipped_boxes():
    masks = np.ones((4000, 1, 32, 32), "float32")
    rng = np.random.default_rng(0)
    draws, shares = ALWAYS.draw(rng, (4000, 1), (32, 32), masks)
    pixels = pixel_shares(**draws, image_size=(32, 32))
    # Simulated on its own: even sides around a centre, clipped.
    rng = np.random.default_rng(1)
    half = np.floor(32 * rng.random(4000) ** 0.5) // 2
    sides = []
    for _ in range(2):
        center = rng.integers(32, size=4000)
        sides.append(np.minimum(center + half, 32) - np.maximum(center - half, 0))
    expected = np.mean(sides[0] * sides[1]) / 32**2
    assert shares.mean() == pytest.approx(expected, abs=0.015)
    assert pixels.mean() == pytest.approx(shares.mean(), abs=1e-6)


def test_partners_are_drawn_from_the_whole_data_set():
    dataset = mixed(batch_size=4, epochs=120, pixel_mixing=PixelMixing("mixup", 1.0))
    plain = mixed(batch_size=4, epochs=120, pixel_mixing=None)
    partners, outside = [], []
    for epoch in range(120):
        own = indices(plain.batch(epoch, 0)[0])
        _, labels = dataset.batch(epoch, 0)
        for sample in range(4):
            others = set(np.nonzero(labels[sample, 0])[0]) - {own[sample, 0]}
            partners += others
            outside += [not others & set(own[:, 0])] * len(others)
    assert np.mean(outside) > 0.8
    assert len(set(partners)) == COUNT


def test_a_partner_may_be_the_image_itself():
    mixing = PixelMixing("mixup", 1.0)
    found = [labels.max(axis=-1) for *_, labels in batches(LinearMasks(2), mixing)]
    assert np.sum(np.isclose(found, 1, atol=1e-6)) > 0
