"""CaiT and ConViT against the stored outputs of timm 1.0.31.

What `make_timm_outputs` stores was computed by timm's own models with the same
drawn weights.
"""

import functools

import keras
import numpy as np
import pytest

from keras_mixvit import CaiT, ConViT, SingleNetwork
from keras_mixvit.convert import load_timm_weights, timm_weights
from tests.convert.timm_cases import (
    BLOCKS,
    CASES,
    NUM_BLOCKS,
    NUM_CLASS_BLOCKS,
    NUM_CLASSES,
    PATCH_SIZE,
    drawn_weights,
    images,
)
from tests.convert.timm_stored import Stored, check_gradients
from tests.helpers import numpy
from tests.layers.compiled import compiled

EVERY_CASE = pytest.mark.parametrize("name", CASES)
CLOSE = {"rtol": 2e-5, "atol": 2e-5}
STORED = Stored("timm_outputs.npz")
stored, stored_under, shapes = STORED.of, STORED.under, STORED.shapes


@functools.cache
def loaded_network(name):
    """Our network of a case with the drawn weights, and the conversion."""
    case = CASES[name]
    arguments = {
        "image_shape": (*case.image_size, case.channels),
        "patch_size": PATCH_SIZE,
        "width": case.width,
        "num_heads": case.num_heads,
        "num_blocks": NUM_BLOCKS,
        "num_class_blocks": NUM_CLASS_BLOCKS,
        "qkv_bias": case.qkv_bias,
    }
    if case.backbone == "cait":
        backbone = CaiT(**arguments)
    else:
        backbone = ConViT(trunk_attention=case.trunk_attention, **arguments)
    model = SingleNetwork(backbone, NUM_CLASSES)
    return model, load_timm_weights(model, drawn_weights(shapes(name)))


def outputs(model, pixels):
    """Logits, output of each block, and attention weights of each block."""
    backbone = model.backbone
    body, trunk = backbone.body, backbone.trunk
    grid = backbone.stem(pixels)
    body_features = keras.Model(
        body.input, [body.get_layer(block).output for block in BLOCKS[:NUM_BLOCKS]]
    )(grid)
    *class_features, features = keras.Model(
        trunk.input,
        [trunk.get_layer(block).output for block in BLOCKS[NUM_BLOCKS:]]
        + [trunk.output],
    )(body_features[-1])
    maps = {}
    backbone.apply_blocks(backbone.apply_position(grid), maps)
    backbone.apply_trunk(body_features[-1], maps)
    logits = model.heads(features)[:, 0]
    by_block = dict(zip(BLOCKS, [*body_features, *class_features], strict=True))
    return logits, by_block, maps


@EVERY_CASE
def test_names_and_shapes_of_weights_are_those_of_timm(name):
    model, conversion = loaded_network(name)
    weights = timm_weights(model)
    assert {key: array.shape for key, array in weights.items()} == shapes(name)
    assert set(conversion.loaded) == set(shapes(name))
    assert conversion.unused == conversion.untouched == conversion.resized == ()


@EVERY_CASE
def test_loaded_weights_are_the_given_ones(name):
    # Outputs do not depend on biases of keys, scores and positions.
    model, _ = loaded_network(name)
    weights = timm_weights(model)
    for key, array in drawn_weights(shapes(name)).items():
        np.testing.assert_array_equal(weights[key], array, err_msg=key)


@EVERY_CASE
def test_logits_blocks_and_attention_are_those_of_timm(name):
    model, _ = loaded_network(name)
    run = compiled(lambda pixels: outputs(model, pixels))
    logits, features, maps = run(images(CASES[name]))
    np.testing.assert_allclose(numpy(logits), stored(name)["logits"], **CLOSE)
    for kind, found in (("features", features), ("attention", maps)):
        expected = stored_under(name, kind)
        assert tuple(expected) == tuple(found) == BLOCKS
        for block in BLOCKS:
            array = numpy(found[block])
            if kind == "features":
                # timm has no grids: tokens stand row by row.
                array = array.reshape(expected[block].shape)
            np.testing.assert_allclose(
                array, expected[block], err_msg=f"{kind} of {block}", **CLOSE
            )


def test_attention_maps_are_those_of_timm():
    model, _ = loaded_network("convit")
    found = model.attention_maps(images(CASES["convit"]))
    expected = stored_under("convit", "attention")
    assert tuple(found) == BLOCKS
    for block in BLOCKS:
        np.testing.assert_allclose(
            found[block][:, 0], expected[block], err_msg=block, **CLOSE
        )


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.has_gradients])
def test_gradients_of_every_parameter_are_those_of_timm(name):
    model, _ = loaded_network(name)
    expected = stored_under(name, "gradients")
    check_gradients(model, CASES[name], expected, shapes(name))
