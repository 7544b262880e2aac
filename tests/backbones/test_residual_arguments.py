"""Arguments of the residual networks, kept and refused."""

import json
import re

import keras
import numpy as np
import pytest

from keras_mixvit.convert._mixmo import mixmo_weights
from tests.backbones.residual_networks import (
    EVERY_NETWORK,
    NETWORKS,
    SMALL,
    loaded_network,
    tiny,
    unallocated,
    weights,
)


@EVERY_NETWORK
def test_config_makes_the_same_network(network):
    changes = {"widening": 2, "l2": 1e-4, "mean": [0.5, 0.4, 0.3], "std": 0.25}
    if network == "wide":
        changes |= {"depth": 16, "strided_conv": "first"}

    def copies():
        backbone = NETWORKS[network](
            (16, 8, 3), name="mine", dtype="mixed_bfloat16", **changes
        )
        serialised = keras.saving.serialize_keras_object(backbone)
        return (
            backbone,
            type(backbone).from_config(backbone.get_config()),
            keras.saving.deserialize_keras_object(json.loads(json.dumps(serialised))),
        )

    backbone, *others = unallocated(copies)
    config = backbone.get_config()
    assert {name: config[name] for name in changes} == {
        **changes,
        "mean": (0.5, 0.4, 0.3),
    }
    for other in others:
        assert type(other) is type(backbone)
        assert other.name == "mine"
        assert other.dtype_policy.name == "mixed_bfloat16"
        assert other.get_config() == config
        assert [(v.path, v.shape) for v in other.variables] == [
            (v.path, v.shape) for v in backbone.variables
        ]


def test_a_saved_network_comes_back_with_weights_and_statistics(tmp_path):
    model = loaded_network("wide_mixmo")
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert loaded.get_config() == model.get_config()
    expected = weights("wide_mixmo")
    found = mixmo_weights(loaded)
    assert set(found) == set(expected)
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)


DEPTH = "`depth` must be 6n + 4 with n of at least 1."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 4}, f"{DEPTH} Received: depth=4"),
        ({"depth": 18}, f"{DEPTH} Received: depth=18"),
        (
            {"depth": 10.0},
            "`depth` must be an integer of at least 1. Received: depth=10.0",
        ),
        (
            {"strided_conv": "both"},
            "`strided_conv` must be one of 'second', 'first'. "
            "Received: strided_conv='both'",
        ),
    ],
)
def test_arguments_of_wide_resnets_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        tiny(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"widening": 0},
            "`widening` must be an integer of at least 1. Received: widening=0",
        ),
        (
            {"widening": 1.5},
            "`widening` must be an integer of at least 1. Received: widening=1.5",
        ),
        ({"l2": -1e-4}, "`l2` must not be negative. Received: l2=-0.0001"),
        (
            {"image_shape": (8, 8)},
            "`image_shape` must be (height, width, channels). "
            "Received: image_shape=(8, 8)",
        ),
        (
            {"image_shape": (0, 8, 3)},
            "`image_shape` must be an integer of at least 1. Received: image_shape=0",
        ),
        (
            {"mean": (0.5, 0.5)},
            "`mean` must be a number or 3 numbers, one per channel. "
            "Received: mean=(0.5, 0.5)",
        ),
        ({"std": 0.0}, "`std` must be positive. Received: std=[0.0, 0.0, 0.0]"),
    ],
)
@EVERY_NETWORK
def test_arguments_out_of_range_are_refused(network, arguments, message):
    arguments = {"image_shape": SMALL, **arguments}
    shape = arguments.pop("image_shape")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        unallocated(lambda: NETWORKS[network](shape, **arguments))


@pytest.mark.parametrize("network", ["preact", "resnet"])
def test_stems_with_a_stride_take_images_of_even_sides(network):
    message = re.escape(
        "`patch_size` must divide the image size. "
        "Received: patch_size=2, image_size=(8, 7)"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        NETWORKS[network]((8, 7, 3))
