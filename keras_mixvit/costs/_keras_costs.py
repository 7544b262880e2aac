"""The costs of Keras's own layers and operations."""

import math
from dataclasses import dataclass

import keras

from keras_mixvit.costs._cost import Cost

layers = keras.layers


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer.

    Args:
        layer: The called layer or `keras.Operation`.
        inputs: Tuple of the shapes of its input tensors.
        output: Shape of the (first) tensor that it returns.
        training: Boolean, whether it is called in training. Defaults to `False`.
        args: Tuple of all positional arguments. Defaults to `()`.
    """

    layer: keras.Operation
    inputs: tuple
    output: tuple
    training: bool = False
    args: tuple = ()


def activation_cost(function, elements: int) -> Cost:
    """Cost of an activation function on some elements."""
    if function in (None, keras.activations.linear):
        return Cost()
    if function in (keras.activations.softmax, keras.activations.log_softmax):
        return Cost(softmax=5 * elements)
    return Cost(activations=elements)


def weighted(call, per_element: int, elements: int | None = None) -> Cost:
    """A product of `per_element` multiply-adds, with bias and activation."""
    outputs = math.prod(call.output)
    products = per_element * (outputs if elements is None else elements)
    biases = outputs if call.layer.use_bias else 0
    cost = Cost(multiply_adds=products, biases=biases)
    return cost + activation_cost(call.layer.activation, outputs)


def dense(call):
    return weighted(call, call.inputs[0][-1])


def convolved(call):
    return weighted(call, math.prod(call.layer.kernel.shape[:-1]))


def transposed(call):
    per_input = math.prod(call.layer.kernel.shape[:-1])
    return weighted(call, per_input, math.prod(call.inputs[0]))


def depthwise(call):
    return weighted(call, math.prod(call.layer.kernel.shape[:-2]))


def batch_norm(call):
    elements = math.prod(call.output)
    if call.training and call.layer.trainable:
        return Cost(norms=own_statistics(call.layer) * elements)
    # Stored statistics, gain and shift merge into one gain and one shift.
    return Cost(norms=2 * elements)


def own_statistics(layer) -> int:
    """Operations per element: mean, difference, square and so on, at most seven."""
    return 5 + bool(layer.scale) + bool(layer.center)


def layer_norm(call):
    return Cost(norms=own_statistics(call.layer) * math.prod(call.output))


def root_mean_square_norm(call):
    return Cost(norms=4 * math.prod(call.output))


def pooled(call):
    return Cost(elementwise=math.prod(call.output) * window(call.layer))


def window(layer) -> int:
    """The number of elements in the window of a pooling layer of 2-D images."""
    size = layer.pool_size
    return size**2 if isinstance(size, int) else math.prod(size)


def reduced(call):
    return Cost(elementwise=math.prod(call.inputs[0]))


def activated(call):
    return Cost(activations=math.prod(call.output))


def activation_layer(call):
    return activation_cost(call.layer.activation, math.prod(call.output))


def softmax(call):
    return Cost(softmax=5 * math.prod(call.output))


def dropped(call):
    rate = call.layer.rate if call.training else 0
    return Cost(elementwise=math.prod(call.output) if rate else 0)


def merged(call):
    return Cost(elementwise=(len(call.inputs) - 1) * math.prod(call.output))


def averaged(call):
    return Cost(elementwise=len(call.inputs) * math.prod(call.output))


def rescaled(call):
    return Cost(elementwise=2 * math.prod(call.output))


def added(call):
    # Python's `sum` starts from 0, which costs nothing.
    numbers = [x for x in call.args if isinstance(x, (int, float))]
    return Cost() if 0 in numbers else elementwise(call)


def elementwise(call):
    return Cost(elementwise=math.prod(call.output))


def multiplied(call):
    return Cost(multiply_adds=math.prod(call.output) * call.inputs[0][-1])


def free(call):
    return Cost()


KERAS_COSTS = {
    layers.Dense: dense,
    layers.Conv1D: convolved,
    layers.Conv2D: convolved,
    layers.Conv3D: convolved,
    layers.Conv2DTranspose: transposed,
    layers.DepthwiseConv2D: depthwise,
    layers.BatchNormalization: batch_norm,
    layers.LayerNormalization: layer_norm,
    layers.GroupNormalization: layer_norm,
    layers.RMSNormalization: root_mean_square_norm,
    layers.MaxPooling2D: pooled,
    layers.AveragePooling2D: pooled,
    layers.GlobalAveragePooling1D: reduced,
    layers.GlobalAveragePooling2D: reduced,
    layers.GlobalMaxPooling1D: reduced,
    layers.GlobalMaxPooling2D: reduced,
    layers.Activation: activation_layer,
    layers.ReLU: activated,
    layers.LeakyReLU: activated,
    layers.PReLU: activated,
    layers.ELU: activated,
    layers.Softmax: softmax,
    layers.Dropout: dropped,
    layers.SpatialDropout2D: dropped,
    layers.Add: merged,
    layers.Subtract: merged,
    layers.Multiply: merged,
    layers.Maximum: merged,
    layers.Minimum: merged,
    layers.Average: averaged,
    layers.Rescaling: rescaled,
    layers.InputLayer: free,
    layers.Identity: free,
    layers.Concatenate: free,
    layers.Cropping2D: free,
    layers.Flatten: free,
    layers.Permute: free,
    layers.RepeatVector: free,
    layers.Reshape: free,
    layers.ZeroPadding2D: free,
}

ACTIVATIONS = "Elu Gelu Relu Relu6 Sigmoid Silu Swish Tanh"
REDUCTIONS = "Logsumexp Max Mean Min Sum"
ELEMENTWISE = (
    "Absolute Divide Maximum Minimum Multiply Negative Power Sqrt Square Subtract "
    "TrueDivide"
)
FREE = (
    "BroadcastTo Cast Concatenate ExpandDims GetItem Identity Moveaxis Pad Repeat "
    "Reshape Squeeze Stack Swapaxes Take Tile Transpose"
)

# Operations of `keras.ops` have no public classes, so their names identify them.
OPERATION_COSTS = {
    "Add": added,
    "AveragePool": pooled,
    "LogSoftmax": softmax,
    "Matmul": multiplied,
    "MaxPool": pooled,
    "Softmax": softmax,
    **dict.fromkeys(ACTIVATIONS.split(), activated),
    **dict.fromkeys(REDUCTIONS.split(), reduced),
    **dict.fromkeys(ELEMENTWISE.split(), elementwise),
    **dict.fromkeys(FREE.split(), free),
}
