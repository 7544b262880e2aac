from typing import Any

import keras

from keras_mixvit._checks import require
from keras_mixvit._kept_steps import KeepsSteps
from keras_mixvit.models._quantized_layers import quantized_layers


@keras.saving.register_keras_serializable(package="keras_mixvit")
class Graph(KeepsSteps, keras.Model):
    """A functional model that shares its layers with a model of this library.

    `keras.Model` documents its arguments. If its `predict` fails, the other model keeps
    its weights.
    """

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Saves the graph, unless it is quantized."""
        # Keras opens the file before it asks for the config.
        self.get_config()
        super().save(filepath, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        # The config of a block does not store the precision of its parts.
        quantized = quantized_layers(self)
        require(
            not quantized,
            "`model` must not be a quantized graph: save the model that it belongs "
            "to, or export the graph.",
            quantized=sorted(quantized)[:3],
        )
        return super().get_config()
