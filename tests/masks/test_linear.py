import numpy as np
import pytest

from keras_mixvit.masks import LinearMasks


@pytest.mark.parametrize("alpha", [0.5, 2.0])
@pytest.mark.parametrize("members", [2, 3, 5])
def test_shares_are_drawn_from_a_dirichlet_distribution(members, alpha):
    sampler = LinearMasks(num_subnetworks=members, alpha=alpha)
    shares = sampler.draw(np.random.default_rng(0), 20_000, (1, 1))[..., 0, 0]
    mean = 1 / members
    spread = (mean * (1 - mean) / (members * alpha + 1)) ** 0.5
    np.testing.assert_allclose(shares.mean(axis=0), mean, atol=0.01)
    np.testing.assert_allclose(shares.std(axis=0), spread, atol=0.01)
    # Shares that sum to 1 and are exchangeable have this correlation.
    correlations = np.corrcoef(shares.T)[np.triu_indices(members, 1)]
    np.testing.assert_allclose(correlations, -1 / (members - 1), atol=0.03)


def test_two_shares_have_the_spread_of_the_published_beta():
    masks = LinearMasks().draw(np.random.default_rng(1), 20_000, (1, 1))
    np.testing.assert_allclose(masks[:, 0].std(), 0.2236, atol=0.01)


@pytest.mark.parametrize("members", [2, 3])
def test_masks_are_constant_over_places_and_vary_over_samples(members):
    sampler = LinearMasks(2, members)
    masks = sampler.draw(np.random.default_rng(0), 50, (8, 12))
    assert masks.shape == (50, members, 4, 6)
    np.testing.assert_array_equal(
        masks, np.broadcast_to(masks[:, :, :1, :1], masks.shape)
    )
    assert len(np.unique(masks[:, 0])) == 50
