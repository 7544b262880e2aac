"""What code that must not import a class may ask of its instances."""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class HasBackbone(Protocol):
    """A model that uses the layers of a backbone, as all but `Ensemble` do."""

    @property
    def backbone(self) -> Any:
        """The `Backbone`."""
