"""Which layers of a model are quantized, in a form that its config can hold."""

import keras

from keras_mixvit._checks import require
from keras_mixvit.models._frozen_layers import layers_of

# Others need data to be made again.
MODES = ("int8", "int4", "float8")


def quantized_layers(model: keras.Model) -> dict[str, dict]:
    """The quantized policies of layers, by the paths of the layers.

    Args:
        model: Built model.

    Raises:
        ValueError: If a layer is quantized in a mode that cannot be restored.
    """
    found = {}
    for layer in layers_of(model):
        policy = layer.dtype_policy
        if isinstance(policy, keras.dtype_policies.QuantizedDTypePolicy):
            require(
                policy.quantization_mode in MODES,
                f"`model` must be quantized as one of {', '.join(MODES)} to be saved.",
                layer=layer.path,
                mode=policy.quantization_mode,
            )
            found[layer.path] = keras.dtype_policies.serialize(policy)
    return found


def quantize_again(model: keras.Model, policies: dict[str, dict]) -> None:
    """Quantizes layers, so that their stored weights fit.

    Args:
        model: Built model, nothing of which is quantized.
        policies: What `quantized_layers` gave.
    """
    if not policies:
        return
    for layer in layers_of(model):
        if layer.path in policies:
            layer.dtype_policy = keras.dtype_policies.deserialize(policies[layer.path])
