"""The costs of attention layers."""

import math
from dataclasses import dataclass

from keras_mixvit.costs._cost import Cost
from keras_mixvit.costs._keras_costs import LayerCall


def self_attention(call):
    return _attention(call, call.layer.qkv_bias)


def talking_heads_attention(call):
    batch, tokens, _ = sequence(call.inputs[0])
    heads = call.layer.num_heads
    maps = batch * heads * tokens**2
    mixing = Cost(multiply_adds=2 * heads * maps, biases=2 * maps)
    return _attention(call, call.layer.qkv_bias) + mixing


def gated_positional_attention(call):
    batch, height, width, _ = call.inputs[0]
    heads = call.layer.num_heads
    # The layer may have its own grid; without one, it is that of the input.
    rows, columns = call.layer.grid_shape or (height, width)
    scores = heads * (rows**2 + columns**2)
    maps = heads * (height * width) ** 2
    # For the scores of each axis four operations and a softmax; then their outer
    # product, the share of a copy, the gate.
    once = 9 * scores + heads * (rows * columns) ** 2 + 2 * maps + 2 * heads
    gating = Cost(elementwise=2 * batch * maps, per_call=once)
    return _attention(call, call.layer.qkv_bias) + gating


def _attention(call, qkv_bias):
    batch, tokens, width = sequence(call.inputs[0])
    features = batch * tokens * width
    maps = batch * call.layer.num_heads * tokens**2
    return Cost(
        multiply_adds=4 * features * width + 2 * features * tokens,
        biases=(4 if qkv_bias else 1) * features,
        softmax=5 * maps,
        elementwise=features
        + drops(call, maps, call.layer.attention_dropout_rate)
        + drops(call, features, call.layer.dropout_rate),
    )


def drops(call, elements, rate):
    """The products of dropout in training."""
    return elements if call.training and rate else 0


def sequence(shape):
    batch, *positions, width = shape
    return batch, math.prod(positions), width


def class_attention(call):
    token, grid, *shared = call.inputs
    patches, heads = math.prod(grid[1:-1]), call.layer.num_heads
    tokens, width = math.prod(call.output[:-1]), token[-1]
    features, maps = tokens * width, tokens * heads * (1 + patches)
    bias = call.layer.qkv_bias
    cost = Cost(
        # Query, absorbed key, value and projection of one token; scores and
        # weighted sum of all tokens, every head over the whole width.
        multiply_adds=4 * features * width + 2 * maps * width,
        # The key bias is a product with the query and a constant of the scores.
        biases=(5 * features + maps if bias else features),
        softmax=5 * maps,
        elementwise=features
        + drops(call, maps, call.layer.attention_dropout_rate)
        + drops(call, features, call.layer.dropout_rate),
    )
    if not shared:
        return cost
    cost += _sharing(tokens * heads, patches, width)
    if len(token) == 3:
        return cost
    # One token for all subnetworks: its queries meet the grid once.
    once = _queries(1, width, heads, patches, bias)
    cost -= _queries(tokens // token[0], width, heads, patches, bias)
    return cost, [LayerCall(SharedQueries(once), (token, grid), token, call.training)]


@dataclass(frozen=True)
class SharedQueries:
    """The part of class attention that runs once for all subnetworks, in its own row.

    Args:
        cost: `Cost` for one image.
        name: String. Defaults to `"queries"`.
    """

    cost: Cost
    name: str = "queries"


def shared_queries(call):
    return call.layer.cost


def _queries(tokens, width, heads, patches, bias):
    """Queries of some tokens, absorbed keys, and their scores on a grid."""
    return Cost(
        multiply_adds=2 * tokens * width**2 + tokens * heads * patches * width,
        biases=3 * tokens * width if bias else 0,
        elementwise=tokens * width + tokens * heads * width,
    )


def _sharing(queries, patches, width):
    """The additional costs of queries if subnetworks share a grid."""
    return Cost(
        # Vector and offset count as two more tokens.
        multiply_adds=4 * queries * width,
        # Gains of queries and of sums, to which the rest is added; scores with
        # scales, rates and offset; weights with scales, and the sums of two.
        elementwise=3 * queries * width + 8 * queries * patches,
    )
