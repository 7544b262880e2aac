from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import is_integer, require, require_positive_integer


class SourceAttribution(keras.layers.Layer):
    """What source encoding and source embedding share: the three call forms.

    Subclasses give `_mixed`, `_every` and `_paired`, one per form.
    """

    def __init__(self, num_subnetworks: int, **kwargs: Any):
        super().__init__(**kwargs)
        require_positive_integer("num_subnetworks", num_subnetworks, minimum=2)
        self.num_subnetworks = num_subnetworks

    def call(self, tokens: Any, masks: Any = None, source: Any = None) -> Any:
        require(
            source is None or (masks is None and len(tokens.shape) == 4),
            "`source` must be None with masks or with one grid per source.",
            source=source,
        )
        tokens = ops.cast(tokens, self.compute_dtype)
        if masks is not None:
            masks = ops.cast(masks, self.compute_dtype)
            return tokens + self._mixed(tokens, masks)
        if len(tokens.shape) == 5:
            return tokens + self._paired(tokens)
        selected = self._selected(source)
        return tokens[:, None] + self._every(tokens, selected)

    def computed(self, variable: Any) -> Any:
        """A variable in the dtype of the computation.

        Keras casts a variable that an operation is given, not a part of one,
        and not in every symbolic call.

        Args:
            variable: `keras.Variable`.
        """
        return ops.cast(variable, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_subnetworks": self.num_subnetworks}

    def _selected(self, source):
        if source is None:
            return slice(None)
        require(
            is_integer(source) and 0 <= source < self.num_subnetworks,
            f"`source` must be in 0 to {self.num_subnetworks - 1}.",
            source=source,
        )
        return slice(source, source + 1)
