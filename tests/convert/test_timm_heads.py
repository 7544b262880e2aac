import re

import numpy as np
import pytest
from keras import ops

from keras_mixvit import MixViT, SingleNetwork
from keras_mixvit.backbones import make_backbone
from keras_mixvit.convert import load_timm_weights, timm_weights
from tests.convert.loading import HEAD, KINDS, MISFIT, assert_values, random, values
from tests.helpers import images, numpy
from tests.layers.compiled import compiled


@pytest.mark.parametrize("include_head", [None, True])
def test_a_single_network_takes_the_head(include_head, weights):
    model = random(SingleNetwork(KINDS["cait"](), 5), seed=1)
    conversion = load_timm_weights(model, weights, include_head)
    np.testing.assert_array_equal(
        numpy(model.heads.kernel)[0], weights["head.weight"].T
    )
    np.testing.assert_array_equal(numpy(model.heads.bias)[0], weights["head.bias"])
    assert set(conversion.loaded) == set(weights)
    assert (conversion.unused, conversion.untouched) == ((), ())


@pytest.mark.parametrize(
    ("make", "include_head"),
    [(SingleNetwork, False), (MixViT, False), (MixViT, None)],
    ids=["single, False", "several, False", "several, None"],
)
def test_new_heads_keep_their_values(make, include_head, weights):
    # Its number of classes differs: the head of the weights would not fit.
    model = random(make(KINDS["cait"](), 3), seed=1)
    new = list(model.heads.weights)
    if make is MixViT:
        new += model.attribution.weights
    kept = {variable.path: numpy(variable) for variable in new}
    conversion = load_timm_weights(model, weights, include_head)
    for variable in new:
        np.testing.assert_array_equal(
            numpy(variable), kept[variable.path], variable.path
        )
    assert set(conversion.untouched) == set(kept)
    assert conversion.unused == HEAD
    assert set(conversion.loaded) == set(weights) - set(HEAD)


def test_a_backbone_leaves_the_head_unused(weights):
    for include_head in (None, False):
        conversion = load_timm_weights(KINDS["cait"](), weights, include_head)
        assert conversion.unused == HEAD
        assert conversion.untouched == ()


def test_a_backbone_cannot_take_a_head(weights):
    message = (
        "`include_head` must be False for a backbone, which has no head. Received: "
        "include_head=True"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(KINDS["cait"](), weights, include_head=True)


def test_weights_without_a_head_leave_nothing_unused(single, weights):
    headless = {name: array for name, array in weights.items() if name not in HEAD}
    conversion = load_timm_weights(KINDS["cait"](), headless)
    assert conversion.unused == ()
    model = random(SingleNetwork(KINDS["cait"](), 5), seed=1)
    message = f"{MISFIT} Received: missing={list(HEAD)!r}, unexpected=[], shapes={{}}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(model, headless)
    load_timm_weights(model, headless, include_head=False)


def test_another_number_of_classes_is_refused_with_the_head(weights):
    model = random(MixViT(KINDS["cait"](), 3), seed=1)
    before = values(model)
    shapes = {
        "head.weight": "(5, 16) instead of (3, 16)",
        "head.bias": "(5,) instead of (3,)",
    }
    message = f"{MISFIT} Received: missing=[], unexpected=[], shapes={shapes!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(model, weights, include_head=True)
    assert_values(model, before)


@pytest.mark.parametrize("subnetwork", [0, 1, 2])
def test_weights_of_a_subnetwork_have_its_head(subnetwork):
    model = random(MixViT(KINDS["cait"](), 5, num_subnetworks=3))
    found = timm_weights(model, subnetwork)
    kernel, bias = numpy(model.heads.kernel), numpy(model.heads.bias)
    np.testing.assert_array_equal(found["head.weight"], kernel[subnetwork].T)
    np.testing.assert_array_equal(found["head.bias"], bias[subnetwork])


def test_weights_of_several_subnetworks_have_no_head():
    model = MixViT(KINDS["cait"](), 5)
    found = timm_weights(model)
    assert not set(HEAD) & set(found)
    assert set(timm_weights(model, 0)) == set(found) | set(HEAD)
    assert set(timm_weights(model.backbone)) == set(found)


@pytest.mark.parametrize(
    ("make", "subnetwork", "count"),
    [
        (lambda: MixViT(KINDS["cait"](), 5), 2, 2),
        (lambda: MixViT(KINDS["cait"](), 5), -1, 2),
        (lambda: SingleNetwork(KINDS["cait"](), 5), 1, 1),
        (KINDS["cait"], 0, 0),
    ],
    ids=["too large", "negative", "single", "backbone"],
)
def test_weights_of_a_subnetwork_that_is_none_are_refused(make, subnetwork, count):
    message = (
        f"`subnetwork` must be None or the index of one of {count} heads. Received: "
        f"subnetwork={subnetwork}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        timm_weights(make(), subnetwork)


def assert_every_subnetwork_is(network, model, inputs, through=compiled):
    load_timm_weights(model, timm_weights(network), include_head=True)
    for vector in model.attribution.trainable_variables:
        vector.assign(ops.zeros(vector.shape))
    run = through(lambda x: (network(x), model.inference_network(x)))
    expected, found = map(numpy, run(inputs))
    members = model.num_subnetworks
    assert found.shape == (len(inputs), members, network.num_classes)
    # Else equality would say little.
    assert expected.std() > 0.05
    for m in range(members):
        np.testing.assert_allclose(found[:, m], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("cait", {}),
        ("cait", {"source_attribution": "encoding", "num_subnetworks": 3}),
        ("published convit", {"attribution_position": "early"}),
    ],
    ids=["embedding", "encoding", "early"],
)
def test_every_subnetwork_starts_as_the_single_network(kind, options):
    network = random(SingleNetwork(KINDS[kind](), 5))
    model = random(MixViT(KINDS[kind](), 5, **options), seed=1)
    assert_every_subnetwork_is(network, model, images(2))


def test_every_subnetwork_starts_as_a_real_cait():
    shape = (32, 32, 3)
    network = random(SingleNetwork(make_backbone("cait_xxs24", shape), 5), scale=0.1)
    model = MixViT(make_backbone("cait_xxs24", shape), 5)
    # Uncompiled, blocks that are alike share their operations on JAX.
    assert_every_subnetwork_is(network, model, images(1, shape), through=lambda f: f)
