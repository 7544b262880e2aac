import functools

import numpy as np
import pytest

from keras_mixvit import MixMo
from keras_mixvit.backbones import PreActResNet
from keras_mixvit.convert._mixmo import load_mixmo_weights, mixmo_weights
from tests.backbones.residual_cases import CASES, drawn_weights
from tests.backbones.residual_networks import loaded_network, stored, weights
from tests.convert.mixmo_cases import (
    CLASSES,
    SHAPE,
    assert_same,
    network,
    redrawn,
    shared,
)
from tests.helpers import numpy

NORM = ("weight", "bias", "running_mean", "running_var")


def published_names(members, groups, blocks, shortcuts, has_last_norm):
    """Names of the weights in the published code.

    Args:
        members: Integer, the number of stems and heads.
        groups: Integer, the number of groups of blocks.
        blocks: Integer, the number of blocks of a group.
        shortcuts: Groups that begin with a shortcut convolution, from 1.
        has_last_norm: Boolean, whether a norm follows the blocks.
    """
    stems = ["conv1"] if members == 1 else [f"list_conv1.{m}" for m in range(members)]
    heads = ["fc"] if members == 1 else [f"list_fc.{m}" for m in range(members)]
    norms, convolutions = ["bn1"] if has_last_norm else [], list(stems)
    for group in range(1, groups + 1):
        for block in range(blocks):
            prefix = f"layer{group}.{block}"
            norms += [f"{prefix}.bn1", f"{prefix}.bn2"]
            convolutions += [f"{prefix}.conv1", f"{prefix}.conv2"]
    convolutions += [f"layer{group}.0.shortcut.0" for group in shortcuts]
    return {
        *(f"{name}.weight" for name in (*convolutions, *heads)),
        *(f"{name}.bias" for name in heads),
        *(f"{name}.{part}" for name in norms for part in NORM),
    }


@pytest.mark.parametrize(
    ("members", "depth", "widening", "shortcuts"),
    [
        # As many channels as the stem: the first group needs no shortcut.
        (1, 10, 1, (2, 3)),
        (2, 16, 1, (2, 3)),
        (3, 10, 2, (1, 2, 3)),
    ],
)
def test_names_of_wide_resnets_are_the_published_ones(
    members, depth, widening, shortcuts
):
    found = mixmo_weights(network(members, widening, depth))
    expected = published_names(members, 3, (depth - 4) // 6, shortcuts, True)
    assert set(found) == expected
    assert {array.dtype.name for array in found.values()} == {"float32"}


@functools.cache
def preact_mixmo():
    return MixMo(PreActResNet(SHAPE), CLASSES, 2)


def test_names_of_preact_resnets_are_the_published_ones():
    for model, members in ((loaded_network("preact"), 1), (preact_mixmo(), 2)):
        expected = published_names(members, 4, 2, (2, 3, 4), False)
        assert set(mixmo_weights(model)) == expected


def test_shapes_are_those_of_pytorch():
    found = mixmo_weights(network(2, widening=2))
    shapes = {name: found[name].shape for name in found}
    assert shapes["list_conv1.1.weight"] == (16, 3, 3, 3)
    assert shapes["layer1.0.conv1.weight"] == (32, 16, 3, 3)
    assert shapes["layer2.0.conv2.weight"] == (64, 64, 3, 3)
    assert shapes["layer2.0.shortcut.0.weight"] == (64, 32, 1, 1)
    assert shapes["layer3.0.bn1.running_var"] == (64,)
    assert shapes["bn1.bias"] == (128,)
    assert shapes["list_fc.0.weight"] == (CLASSES, 128)
    assert shapes["list_fc.1.bias"] == (CLASSES,)


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n].network != "resnet"])
def test_names_and_shapes_are_those_of_plain_pytorch(name):
    # Outputs with these weights are compared where the networks are tested.
    assert_same(mixmo_weights(loaded_network(name)), weights(name))
    assert "logits" in stored(name)


def test_kernels_of_members_stay_apart():
    model = shared(3)
    given = redrawn(model)
    load_mixmo_weights(model, given)
    for m in range(3):
        kernel = numpy(model.stems[m].layers[-1].kernel)
        expected = given[f"list_conv1.{m}.weight"]
        assert kernel[0, 1, 2, 5] == expected[5, 2, 0, 1]
        np.testing.assert_array_equal(kernel, np.einsum("oihw->hwio", expected))
        np.testing.assert_array_equal(
            numpy(model.heads.kernel)[m], given[f"list_fc.{m}.weight"].T
        )
        np.testing.assert_array_equal(
            numpy(model.heads.bias)[m], given[f"list_fc.{m}.bias"]
        )


@pytest.mark.parametrize("members", [1, 2, 3])
def test_weights_go_out_and_in_again(members):
    model = shared(members)
    given = redrawn(model, seed=1)
    conversion = load_mixmo_weights(model, given)
    assert set(conversion.loaded) == set(given)
    assert len(conversion.loaded) == len(given)
    assert conversion.unused == conversion.untouched == conversion.resized == ()
    assert_same(mixmo_weights(model), given)
    # Every variable, the running statistics among them.
    sizes = sum(array.size for array in given.values())
    assert sizes == sum(int(np.prod(v.shape)) for v in model.variables)


def test_weights_of_preact_resnets_go_out_and_in_again():
    model = preact_mixmo()
    shapes = {name: array.shape for name, array in mixmo_weights(model).items()}
    given = drawn_weights(shapes)
    load_mixmo_weights(model, given)
    assert_same(mixmo_weights(model), given)


def test_weights_given_out_are_copies():
    model = shared()
    found = mixmo_weights(model)
    before = {name: array.copy() for name, array in found.items()}
    for array in found.values():
        array += 1
    assert_same(mixmo_weights(model), before)


def test_counters_of_batches_are_reported_and_not_used():
    model = shared()
    given = redrawn(model, seed=2)
    counters = {
        name.replace("running_mean", "num_batches_tracked"): np.array(7)
        for name in given
        if name.endswith("running_mean")
    }
    assert "bn1.num_batches_tracked" in counters
    conversion = load_mixmo_weights(model, {**counters, **given})
    assert set(conversion.unused) == set(counters)
    assert set(conversion.loaded) == set(given)
    assert "layer1.0.bn2.num_batches_tracked" in str(conversion)
    assert_same(mixmo_weights(model), given)


def test_wider_numbers_are_rounded():
    model = shared()
    given = redrawn(model, seed=3)
    load_mixmo_weights(model, {n: a.astype("float64") for n, a in given.items()})
    assert_same(mixmo_weights(model), given)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_checkpoint_of_the_published_training_is_read(prefix, tmp_path):
    torch = pytest.importorskip("torch")
    model = shared(2)
    given = redrawn(model, seed=4)
    state = {f"{prefix}{name}": torch.tensor(array) for name, array in given.items()}
    state[f"{prefix}bn1.num_batches_tracked"] = torch.tensor(7)
    checkpoint = {
        "epoch": 3,
        "main_state_dict": state,
        "main_optimizer_state_dict": {
            "state": {0: {"momentum_buffer": torch.ones(2)}},
            "param_groups": [{"lr": 0.1, "params": [0]}],
        },
    }
    path = tmp_path / "checkpoint.pth"
    torch.save(checkpoint, path)
    for source in (path, str(path)):
        load_mixmo_weights(model, redrawn(model, seed=5))
        conversion = load_mixmo_weights(model, source)
        assert conversion.unused == ("bn1.num_batches_tracked",)
        assert_same(mixmo_weights(model), given)


def test_tensors_of_pytorch_are_taken_as_they_are():
    torch = pytest.importorskip("torch")
    model = shared()
    given = redrawn(model, seed=6)
    load_mixmo_weights(
        model, {name: torch.tensor(a).requires_grad_() for name, a in given.items()}
    )
    assert_same(mixmo_weights(model), given)
