"""What is drawn for Manifold MixUp, and the labels that follow from it."""

import numpy as np
import pytest

from keras_mixvit.data import ManifoldMixing
from keras_mixvit.masks import ConstantMasks, CutMixMasks
from tests.data.pairs import indices, pairs

ONE = ConstantMasks(2, num_subnetworks=1)


def mixed(**changes):
    options = {
        "masks": ONE,
        "num_classes": 24,
        "manifold_mixing": ManifoldMixing(),
        **changes,
    }
    return pairs(**options)


def layer_and_share(shares):
    """The layer of a batch and its lambda."""
    assert np.all(shares == shares[0])
    (layers,) = np.nonzero(shares[0] != 1)
    assert len(layers) == 1
    return layers[0], shares[0, layers[0]]


def draws(count, **options):
    rng = np.random.default_rng(0)
    return [ManifoldMixing(**options).draw(rng, 8) for _ in range(count)]


def test_defaults_are_three_layers_and_alpha_2():
    assert ManifoldMixing() == ManifoldMixing(num_layers=3, alpha=2.0)


@pytest.mark.parametrize("num_layers", [1, 2, 3, 5])
def test_a_batch_has_one_layer_one_share_and_one_permutation(num_layers):
    for partners, shares in draws(20, num_layers=num_layers):
        assert partners.dtype == "int32"
        assert shares.dtype == "float32"
        assert shares.shape == (8, num_layers)
        np.testing.assert_array_equal(np.sort(partners), np.arange(8))
        assert 0 < layer_and_share(shares)[1] < 1


def test_every_place_is_drawn_as_often():
    found = [layer_and_share(shares)[0] for _, shares in draws(3000)]
    counts = np.bincount(found, minlength=3)
    # The deviation of a count is 26.
    assert np.all(np.abs(counts - 1000) < 104)


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_shares_are_of_a_beta_distribution(alpha):
    found = [layer_and_share(shares)[1] for _, shares in draws(2000, alpha=alpha)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.04)
    assert np.var(found) == pytest.approx(1 / (8 * alpha + 4), rel=0.12)


def test_permutations_and_shares_differ_from_batch_to_batch():
    found = draws(50)
    assert len({tuple(partners) for partners, _ in found}) == 50
    assert len({layer_and_share(shares)[1] for _, shares in found}) == 50


@pytest.mark.parametrize("soft", [False, True])
def test_labels_are_mixed_with_those_of_the_partners(soft):
    y = np.random.default_rng(0).dirichlet(np.ones(24), 24) if soft else np.arange(24)
    known = y if soft else np.eye(24)
    dataset = mixed(y=y, num_classes=None if soft else 24)
    for epoch in range(3):
        for index in range(3):
            inputs, labels = dataset.batch(epoch, index)
            assert set(inputs) == {"images", "masks", "partners", "shares"}
            assert labels.shape == (8, 1, 24)
            assert labels.dtype == "float32"
            own = known[indices(inputs)]
            _, share = layer_and_share(inputs["shares"])
            expected = share * own + (1 - share) * own[inputs["partners"]]
            np.testing.assert_allclose(labels, expected, atol=1e-6)
            np.testing.assert_allclose(labels.sum(axis=-1), 1, atol=1e-6)


def test_images_are_left_to_the_model():
    plain, mixture = pairs(masks=ONE), mixed()
    for index in range(3):
        np.testing.assert_array_equal(
            plain[index][0]["images"], mixture[index][0]["images"]
        )


def test_a_remainder_has_partners_of_its_own_size():
    inputs, labels = mixed(count=21, drop_remainder=False)[2]
    np.testing.assert_array_equal(np.sort(inputs["partners"]), np.arange(5))
    assert inputs["shares"].shape == (5, 3)
    assert labels.shape == (5, 1, 24)


def test_draws_are_a_function_of_seed_epoch_and_batch():
    def drawn(epoch, index, seed=0):
        inputs, labels = mixed(seed=seed).batch(epoch, index)
        partners, shares = inputs["partners"], inputs["shares"]
        return partners.tobytes(), shares.tobytes(), labels.tobytes()

    assert drawn(1, 2) == drawn(1, 2)
    keys = [(0, 0), (0, 1), (1, 0), (1, 0, 1)]
    assert len({drawn(*key) for key in keys}) == 4


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"num_layers": 0},
            r"`num_layers` must be an integer of at least 1\. Received: num_layers=0",
        ),
        (
            {"num_layers": 1.5},
            r"`num_layers` must be an integer of at least 1\. "
            r"Received: num_layers=1\.5",
        ),
        (
            {"alpha": 0},
            r"`alpha` must be a positive finite number\. Received: alpha=0",
        ),
        (
            {"alpha": float("inf")},
            r"`alpha` must be a positive finite number\. Received: alpha=inf",
        ),
    ],
)
def test_wrong_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        ManifoldMixing(**options)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"masks": CutMixMasks(2)},
            r"`manifold_mixing` must be None with several inputs in a sample\. "
            r"Received: num_subnetworks=2",
        ),
        (
            {"num_classes": None},
            r"`num_classes` must be given with `manifold_mixing` and integer labels\. "
            r"Received: num_classes=None",
        ),
        (
            {"manifold_mixing": True},
            r"`manifold_mixing` must be a `ManifoldMixing` or None\. "
            r"Received: manifold_mixing=True",
        ),
    ],
)
def test_a_data_set_that_it_does_not_fit_is_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        mixed(**changes)
