"""Networks for timm's weights, and their values."""

import numpy as np

from tests.helpers import numpy, set_weights, tiny_cait, tiny_convit

FEW = {"num_blocks": 1, "num_class_blocks": 1}
# The last block of a published trunk is stored otherwise than those before.
PUBLISHED = {
    "num_blocks": 1,
    "num_class_blocks": 2,
    "trunk_attention": "self_attention",
}
KINDS = {
    "cait": lambda **more: tiny_cait(**{**FEW, **more}),
    "cait without biases": lambda **more: tiny_cait(**{**FEW, **more}, qkv_bias=False),
    "published convit": lambda **more: tiny_convit(**{**PUBLISHED, **more}),
    "paper's convit": lambda **more: tiny_convit(**{**FEW, **more}),
    "published convit with biases": lambda **more: tiny_convit(
        **{**PUBLISHED, **more}, qkv_bias=True
    ),
    "paper's convit with biases": lambda **more: tiny_convit(
        **{**FEW, **more}, qkv_bias=True, layer_scale=0.1
    ),
}
HEAD = ("head.weight", "head.bias")
MISFIT = "`weights` must have the names and shapes of timm's model of the same size."


def random(model, seed=0, scale=0.3):
    set_weights(model, seed, scale)
    return model


def values(model):
    return {variable.path: numpy(variable) for variable in model.weights}


def assert_values(model, expected):
    found = values(model)
    assert set(found) == set(expected)
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, path)


def table_of(backbone):
    return numpy(backbone.body.get_layer("position").table)
