"""The base of what is mixed into `keras.Model`."""

from typing import Any

# A mixin calls methods of the model that it is mixed into. Keras has no annotations:
# to a type checker such a model is `Any`, and this class too.
ModelMixin: Any = object
