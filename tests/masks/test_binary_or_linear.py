import re

import numpy as np
import pytest

from keras_mixvit.masks import (
    BinaryOrLinear,
    ConstantMasks,
    CutMixMasks,
    FMixMasks,
    LinearMasks,
    MaskSampler,
)


class Recorder(MaskSampler):
    """Makes no masks, only notes of how it was called."""

    patch_size = 4
    num_subnetworks = 3

    def __init__(self):
        self.calls = []

    def draw(self, *arguments):
        self.calls.append(arguments)
        return self


class EvenlySpread:
    """A generator that draws the middles of equal parts of [0, 1] in turn."""

    def __init__(self, parts):
        self.values = iter((np.arange(parts) + 0.5) / parts)

    def random(self):
        return next(self.values)


def binary_share(probability, progress, parts=1000):
    """The exact share of binary batches."""
    binary = Recorder()
    sampler = BinaryOrLinear(binary, Recorder(), probability)
    rng = EvenlySpread(parts)
    for _ in range(parts):
        sampler.draw(rng, 8, (32, 32), progress)
    return len(binary.calls) / parts


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (1, 0.5),
        (150, 0.5),
        (275, 0.5),
        (276, 0.48),
        (285, 0.30),
        (299, 0.02),
        (300, 0.0),
    ],
)
def test_share_of_binary_batches_is_the_published_schedule(epoch, expected):
    assert binary_share(0.5, epoch / 300) == expected


@pytest.mark.parametrize("probability", [0, 0.2, 1])
def test_share_of_binary_batches_is_the_probability_before_the_last_twelfth(
    probability,
):
    for progress in (0.0, 0.5, 11 / 12):
        assert binary_share(probability, progress) == probability
    assert binary_share(probability, 23 / 24) == probability / 2
    assert binary_share(probability, 1.0) == 0


def test_default_probability_is_a_half():
    assert BinaryOrLinear(CutMixMasks()) == BinaryOrLinear(CutMixMasks(), None, 0.5)


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 0.6), (285 / 300, 0.36)])
def test_a_batch_is_binary_or_linear_as_a_whole(progress, expected):
    sampler = BinaryOrLinear(CutMixMasks(), probability=0.6)
    rng = np.random.default_rng(0)
    batches = 3000
    kinds = []
    for _ in range(batches):
        masks = sampler.draw(rng, 4, (4, 4), progress)
        binary = np.isin(masks, (0, 1)).all(axis=(1, 2, 3))
        assert binary.all() or not binary.any()
        kinds.append(binary[0])
    # Four and a half standard errors.
    room = 4.5 * (expected * (1 - expected) / batches) ** 0.5
    np.testing.assert_allclose(np.mean(kinds), expected, atol=room)


def test_what_is_asked_for_is_passed_on():
    binary, linear = Recorder(), Recorder()
    rng = np.random.default_rng(0)
    for probability, chosen in ((1.0, binary), (0.0, linear)):
        sampler = BinaryOrLinear(binary, linear, probability)
        assert sampler.draw(rng, 8, (32, 16), 0.25) is chosen
        assert chosen.calls == [(rng, 8, (32, 16), 0.25)]


def test_default_linear_masks_have_the_same_size_and_alpha_2():
    sampler = BinaryOrLinear(FMixMasks(4, num_subnetworks=3, alpha=5.0))
    assert sampler.linear == LinearMasks(4, 3, alpha=2.0)
    assert (sampler.patch_size, sampler.num_subnetworks) == (4, 3)
    assert sampler.grid_shape((32, 16)) == (8, 4)


def test_size_is_that_of_any_sampler():
    sampler = BinaryOrLinear(Recorder())
    assert (sampler.patch_size, sampler.num_subnetworks) == (4, 3)
    assert sampler.linear == LinearMasks(4, 3)


def test_samplers_are_compared_by_what_they_mix():
    assert BinaryOrLinear(CutMixMasks()) == BinaryOrLinear(CutMixMasks(), LinearMasks())
    assert BinaryOrLinear(CutMixMasks()) != BinaryOrLinear(FMixMasks())
    assert BinaryOrLinear(CutMixMasks()) != BinaryOrLinear(
        CutMixMasks(), probability=0.4
    )
    assert BinaryOrLinear(CutMixMasks()) != BinaryOrLinear(
        CutMixMasks(), LinearMasks(alpha=1.0)
    )


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_probability_must_be_a_probability(probability):
    message = f"`probability` must be in [0, 1]. Received: probability={probability}"
    with pytest.raises(ValueError, match=re.escape(message)):
        BinaryOrLinear(CutMixMasks(), probability=probability)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None,), "`binary` must be a `MaskSampler`. Received: binary=None"),
        (("cutmix",), "`binary` must be a `MaskSampler`. Received: binary='cutmix'"),
        (
            (CutMixMasks,),
            "`binary` must be a `MaskSampler`. "
            "Received: binary=<class 'keras_mixvit.masks._cutmix.CutMixMasks'>",
        ),
        (
            (CutMixMasks(), 0.5),
            "`linear` must be a `MaskSampler`. Received: linear=0.5",
        ),
        (
            (CutMixMasks(), LinearMasks(4)),
            "`binary` and `linear` must have the same `patch_size` and "
            "`num_subnetworks`. Received: binary=(1, 2), linear=(4, 2)",
        ),
        (
            (CutMixMasks(4, 3), ConstantMasks(4, 2)),
            "`binary` and `linear` must have the same `patch_size` and "
            "`num_subnetworks`. Received: binary=(4, 3), linear=(4, 2)",
        ),
    ],
)
def test_samplers_that_do_not_go_together_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        BinaryOrLinear(*arguments)
