"""The costs of this library's layers.

A rule takes a `LayerCall` and returns its `Cost`; for a layer that contains layers, it
also returns their calls.
"""

import math

import keras

from keras_mixvit import layers
from keras_mixvit.costs._attention_costs import (
    SharedQueries,
    class_attention,
    drops,
    gated_positional_attention,
    self_attention,
    sequence,
    shared_queries,
    talking_heads_attention,
)
from keras_mixvit.costs._cost import Cost
from keras_mixvit.costs._keras_costs import (
    KERAS_COSTS,
    OPERATION_COSTS,
    LayerCall,
    batch_norm,
    convolved,
    dropped,
    elementwise,
    free,
    layer_norm,
)
from keras_mixvit.layers._convolution import Convolution
from keras_mixvit.layers._layer_normalization import LayerNormalization
from keras_mixvit.layers._source_statistics import SourceStatistics
from keras_mixvit.layers._standardization import Standardization


def mlp(call):
    batch, tokens, width = sequence(call.inputs[0])
    hidden = batch * tokens * call.layer.hidden_width
    features = batch * tokens * width
    # A gate has the width of the features that it multiplies.
    gates = hidden if call.layer.activation == "swiglu" else 0
    return Cost(
        multiply_adds=(2 * hidden + gates) * width,
        biases=hidden + gates + features,
        activations=hidden,
        elementwise=gates + drops(call, hidden + features, call.layer.dropout_rate),
    )


def patch_embedding(call):
    outputs = math.prod(call.output)
    fan_in = call.layer.patch_size**2 * call.inputs[0][-1]
    biases = outputs if call.layer.use_bias else 0
    return Cost(multiply_adds=outputs * fan_in, biases=biases)


def position_embedding(call):
    features = math.prod(call.output)
    return Cost(elementwise=features + drops(call, features, call.layer.dropout_rate))


def prefix_tokens(call):
    layer, features = call.layer, math.prod(call.output)
    # Tokens and positions are added once for all images of a batch.
    once = features // call.output[0] if layer.has_positions else 0
    return Cost(elementwise=drops(call, features, layer.dropout_rate), per_call=once)


def source_embedding(call):
    tokens, *masks = call.inputs
    if len(call.output) == 2:  # Only the vectors.
        return Cost()
    # Masks select the vectors by a product with the table.
    products = math.prod(masks[0]) * tokens[-1] if masks else 0
    return Cost(multiply_adds=products, elementwise=math.prod(call.output))


def standardization(call):
    # Normalisation without gain and offset.
    return Cost(norms=5 * math.prod(call.output))


def source_statistics(call):
    _, _, (subnetworks, width) = call.inputs
    rates = math.prod(call.output)
    # Means of products, 7 operations for each rate and scale; vectors, the same for all
    # images, are centred and squared.
    return Cost(rates * width, elementwise=7 * rates, per_call=4 * subnetworks * width)


def source_encoding(call):
    tokens, *masks = call.inputs
    outputs, width = math.prod(call.output), tokens[-1]
    if not masks:
        products = Cost(multiply_adds=outputs * width, biases=outputs)
    else:
        masked = outputs * masks[0][1]
        biases = math.prod(masks[0]) * width
        products = Cost(masked * width + biases, biases=outputs, elementwise=masked)
    return products + Cost(elementwise=outputs)


def subnetwork_heads(call):
    outputs = math.prod(call.output)
    return Cost(multiply_adds=outputs * call.inputs[0][-1], biases=outputs)


def mixing(call):
    # Masks in pixels are averaged first; drawing masks is not counted.
    images, *masks = call.inputs
    in_pixels = bool(masks) and masks[0][2:] == images[2:4]
    averages = math.prod(masks[0]) if in_pixels and call.layer.patch_size > 1 else 0
    return Cost(elementwise=2 * math.prod(images) + averages)


def transformer_block(call):
    attention = _part(call, call.layer.attention, *call.inputs)
    return _block(call, attention, call.inputs[0], call.inputs)


def class_attention_block(call):
    token, *others = call.inputs
    if len(others) == 1:
        return transformer_block(call)
    # The grid of M subnetworks is already normalised, their tokens are not.
    output, width = call.output, token[-1]
    attention = LayerCall(call.layer.attention, call.inputs, output, call.training)
    normed = [(math.prod(token[:-1]), width)]
    return _block(call, attention, (output[0] * output[1], width), normed)


def _block(call, attention, shape, normed):
    """A block around a call of its attention, with the inputs that it normalises."""
    layer, tokens = call.layer, math.prod(shape)
    gains = 2 * tokens if layer.layer_scale is not None else 0
    drops = 2 * tokens if call.training and layer.stochastic_depth_rate else 0
    parts = [_part(call, layer.attention_norm, s) for s in normed]
    parts.append(attention)
    parts += [_part(call, layer.mlp_norm, shape), _part(call, layer.mlp, shape)]
    return Cost(elementwise=2 * tokens + gains + drops), parts


def basic_block(call):
    layer, shape = call.layer, call.inputs[0]
    parts = []
    if layer.shortcut is not None:
        parts += _chain(call, shape, layer.shortcut, layer.shortcut_norm)
    for conv, norm in zip(layer.convolutions, layer.norms, strict=True):
        parts += _chain(call, _padded(shape), conv, norm)
        shape = parts[-1].output
    outputs = math.prod(call.output)
    return Cost(activations=2 * outputs, elementwise=outputs), parts


def preactivation_block(call):
    layer, shape = call.layer, call.inputs[0]
    parts, activations = [], 0
    if layer.shortcut is not None:
        parts += _chain(call, shape, layer.shortcut)
    for norm, conv in zip(layer.norms, layer.convolutions, strict=True):
        parts += _chain(call, shape, norm)
        activations += math.prod(shape)
        inputs = shape if layer.kind == "wide" else _padded(shape)
        parts += _chain(call, inputs, conv)
        shape = parts[-1].output
    return Cost(activations=activations, elementwise=math.prod(call.output)), parts


def _padded(shape):
    batch, height, width, channels = shape
    return (batch, height + 2, width + 2, channels)


def _part(call, layer, *shapes):
    shapes = tuple(map(tuple, shapes))
    output = tuple(layer.compute_output_shape(*shapes))
    return LayerCall(layer, shapes, output, call.training)


def _chain(call, shape, *parts):
    """Calls of layers, each with the output of the one before."""
    calls = []
    for layer in parts:
        calls.append(_part(call, layer, shape))
        shape = calls[-1].output
    return calls


COSTS = {
    **KERAS_COSTS,
    layers.MLP: mlp,
    layers.BasicBlock: basic_block,
    layers.BinarizedPatchCutMix: mixing,
    layers.ClassAttention: class_attention,
    layers.ClassAttentionBlock: class_attention_block,
    layers.ClassToken: free,
    layers.Dropout: dropped,
    layers.GatedPositionalAttention: gated_positional_attention,
    layers.LayerScale: elementwise,
    layers.PatchEmbedding: patch_embedding,
    layers.RandomPatchCutMix: mixing,
    layers.PositionEmbedding: position_embedding,
    layers.PreActivationBlock: preactivation_block,
    layers.PrefixTokens: prefix_tokens,
    layers.SelfAttention: self_attention,
    layers.SourceEmbedding: source_embedding,
    layers.SourceEncoding: source_encoding,
    layers.StochasticDepth: dropped,
    layers.SubnetworkHeads: subnetwork_heads,
    layers.SynchronizedBatchNormalization: batch_norm,
    layers.TalkingHeadsAttention: talking_heads_attention,
    layers.TransformerBlock: transformer_block,
    Convolution: convolved,
    LayerNormalization: layer_norm,
    SharedQueries: shared_queries,
    SourceStatistics: source_statistics,
    Standardization: standardization,
}


def rule_of(layer):
    """The rule of a layer or an operation of Keras, or `None`.

    It ignores base classes: a subclass may compute something else.
    """
    kind = type(layer)
    is_layer = isinstance(layer, keras.layers.Layer)
    if not is_layer and kind.__module__.split(".")[0] == "keras":
        return OPERATION_COSTS.get(kind.__name__)
    return COSTS.get(kind)
