"""The masks of MixMo, and what they weigh."""

import numpy as np
import pytest
from keras import ops

from keras_mixvit import mixed_pair_dataset
from keras_mixvit.masks import (
    BinaryOrLinear,
    ConstantMasks,
    CutMixMasks,
    LinearMasks,
    PatchCutMix,
)
from tests.helpers import (
    LOSS,
    images,
    numpy,
)
from tests.layers.compiled import compiled
from tests.models.mixmo_models import model_of, pair

SHARES = {
    2: [[0.5, 0.5], [0.9, 0.1], [1.0, 0.0], [0.0, 1.0], [1e-6, 1 - 1e-6]],
    3: [[1 / 3, 1 / 3, 1 / 3], [0.7, 0.2, 0.1], [0.6, 0.4, 0.0], [0.0, 0.0, 1.0]],
}


@pytest.mark.parametrize("members", [2, 3])
@pytest.mark.parametrize("r", [1, 3, 10, float("inf")])
def test_loss_weights_are_equation_5_times_m(r, members):
    ratios = np.array(SHARES[members])
    # A limit, but for shares of 0, which NumPy's 0 ** 0 of 1 settles.
    powers = ratios ** (0.0 if r == float("inf") else 1 / r)
    expected = members * powers / powers.sum(axis=1, keepdims=True)
    model = model_of("convit", members, r=r)
    found = numpy(compiled(model.loss_weights)(ratios.astype("float32")))
    # Keras divides by B and M, the paper by B alone.
    np.testing.assert_allclose(found / members, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), members**2, rtol=1e-6)


@pytest.mark.parametrize("members", [2, 3])
def test_masks_of_mimo_weigh_all_losses_alike(members):
    model = model_of("convit", members, r=1.0)
    masks = model.mask_sampler("mimo").draw(np.random.default_rng(0), 4, (8, 12))
    weights = numpy(compiled(model.loss_weights)(masks.mean(axis=(2, 3))))
    np.testing.assert_allclose(weights, np.full((4, members), members), rtol=1e-6)


@pytest.mark.parametrize("members", [2, 3])
def test_one_head_weighs_labels_by_their_shares_whatever_r(members):
    model = model_of("convit", members, r=3.0, num_classifiers=1)
    ratios = np.array(SHARES[members], "float32")
    weights = numpy(compiled(model.loss_weights)(ratios))
    np.testing.assert_allclose(weights, members * ratios, rtol=1e-6)


def test_the_input_in_the_box_weighs_less_on_average():
    model, rng = model_of("convit", r=3.0), np.random.default_rng(0)
    weights = []
    for _ in range(10):
        ratios = CutMixMasks().draw(rng, 1000, (32, 32)).mean(axis=(2, 3))
        # One input owns the boxes of a batch, which cover 0.307 of a grid.
        ratios = ratios[:, ratios.mean(axis=0).argsort()]
        weights.append(numpy(model.loss_weights(ops.convert_to_tensor(ratios))) / 2)
    mean = np.concatenate(weights).mean(axis=0)
    np.testing.assert_allclose(mean, [0.847, 1.153], atol=5e-3)


@pytest.mark.parametrize(("backbone", "size"), [("wide", 1), ("convit", 4)])
def test_mimo_and_linear_masks_are_constant(backbone, size):
    model = model_of(backbone, 3)
    assert model.mask_sampler("mimo") == ConstantMasks(size, 3)
    assert model.mask_sampler("linear_mixmo") == LinearMasks(size, 3, alpha=2.0)
    linear = model.mask_sampler("linear_mixmo", alpha=0.5)
    assert linear == LinearMasks(size, 3, alpha=0.5)


def test_cut_mixmo_draws_boxes_on_the_grid_of_a_convolutional_network():
    model = model_of("wide", 3)
    assert model.mask_sampler() == BinaryOrLinear(
        CutMixMasks(1, 3, 2.0, "dirichlet"), LinearMasks(1, 3, 2.0), 0.5
    )
    changed = model.mask_sampler(alpha=1.0, probability=0.25, mixing="two")
    assert changed == BinaryOrLinear(
        CutMixMasks(1, 3, 1.0, "two"), LinearMasks(1, 3, 1.0), 0.25
    )
    masks = model.mask_sampler(probability=1.0).draw(
        np.random.default_rng(0), 4, (8, 12)
    )
    assert masks.shape[1:] == model.training_network.input["masks"].shape[1:]


def test_cut_mixmo_decides_whole_patches_of_a_transformer():
    model = model_of("convit", 3)
    assert model.mask_sampler() == BinaryOrLinear(
        PatchCutMix(4, 3, alpha=2.0, single_source_ramp=False),
        LinearMasks(4, 3, 2.0),
        0.5,
    )
    binary = model.mask_sampler(probability=1.0)
    # With a ramp every mask of the last epoch but these would be all ones.
    masks = binary.binary.draw(np.random.default_rng(0), 64, (8, 12), progress=1.0)
    assert set(np.unique(masks)) == {0.0, 1.0}
    assert (masks.mean(axis=(2, 3)).max(axis=1) < 1).any()


def test_masks_on_another_grid_are_refused():
    model = model_of()
    model.compile("sgd", LOSS)
    x, y = images(8), np.arange(8) % 5
    pairs = mixed_pair_dataset(x, y, CutMixMasks(2), epochs=1, batch_size=4)
    text = r"`x` must have masks of shape \(2, 8, 12\), \(M, h, w\): .*\(2, 4, 6\)"
    with pytest.raises(ValueError, match=text):
        model.fit(pairs, verbose=0)
    inputs = pair(model, 8)
    inputs["masks"] = inputs["masks"][:, :, :4]
    with pytest.raises(ValueError, match=r"`masks` must have shape \(8, 2, 8, 12\)"):
        model.fit(inputs, np.zeros((8, 2), int), verbose=0)
    inputs = pair(model, 8)
    with pytest.raises(ValueError, match="sum to 1 over the subnetworks"):
        model.fit({**inputs, "masks": inputs["masks"] / 2}, np.zeros((8, 2), int))
