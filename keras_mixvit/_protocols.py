"""Protocols, for code that must not import a class."""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class HasBackbone(Protocol):
    """A model with a backbone, as all except `Ensemble` are."""

    @property
    def backbone(self) -> Any:
        """The `Backbone` whose layers the model uses."""
