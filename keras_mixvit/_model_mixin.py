"""The base class of the mixins of `keras.Model`."""

from typing import Any

# A mixin calls methods of its model. Keras has no annotations, so a type checker sees
# such a model, and this class, as `Any`.
ModelMixin: Any = object
