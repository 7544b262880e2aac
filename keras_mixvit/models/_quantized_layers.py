"""Which layers of a model are quantized, in a form that fits into its config."""

import keras

from keras_mixvit._checks import require
from keras_mixvit.models._frozen_layers import layers_of

# Other modes need data to quantize a layer again.
MODES = ("int8", "int4", "float8")


def quantized_layers(model: keras.Model) -> dict[str, dict]:
    """The dtype policies of quantized layers, by the paths of the layers.

    Args:
        model: Built model.

    Raises:
        ValueError: If a layer is quantized in a mode that a file cannot restore.
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
    """Quantizes layers again, before their stored weights are loaded.

    Args:
        model: Built model without quantized layers.
        policies: Dict that `quantized_layers` returned.
    """
    if not policies:
        return
    for layer in layers_of(model):
        if layer.path in policies:
            layer.dtype_policy = keras.dtype_policies.deserialize(policies[layer.path])
