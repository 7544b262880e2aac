import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from keras_mixvit._checks import require_positive_integer
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._normalization import as_config, normalized
from keras_mixvit.layers import BasicBlock, PreActivationBlock


@dataclass
class ConvolutionalParts:
    """The layers of a residual network, except its stem.

    Fields:
        groups: List of groups, which are lists of blocks.
        norm: Batch norm before or after the groups, or `None`.
    """

    groups: list[list[PreActivationBlock | BasicBlock]]
    norm: Any = None


class ConvolutionalBackbone(Backbone):
    """Base class of the residual networks: groups of blocks, average pooling.

    A subclass documents the arguments, defines `_make_parts` and `_stem_convolution`,
    and calls `_make_network` at the end of its constructor. Convolutional networks have
    no attention, so they add nothing to `maps`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        patch_size: int,
        widening: int,
        l2: float,
        mean: float | Sequence[float] | None,
        std: float | Sequence[float] | None,
        recompute: bool,
        name: str,
        dtype: Any,
    ):
        require_positive_integer("widening", widening)
        super().__init__(image_shape, patch_size, l2, name=name, dtype=dtype)
        self.widening = widening
        self.mean = as_config(mean)
        self.std = as_config(std)
        self.recompute = recompute
        self._layer_options = {"l2": l2, "dtype": self.dtype_policy}
        self._block_options = {**self._layer_options, "recompute": recompute}

    def _make_network(self):
        # The stages own the layers; in a dataclass, no layer is listed twice.
        self._parts = self._make_parts()
        self._connect()

    @abc.abstractmethod
    def _make_parts(self) -> ConvolutionalParts:
        """The layers of the body and the trunk."""

    @abc.abstractmethod
    def _stem_convolution(self, images, name: str):
        """The grid of normalised images, from a convolution with this name."""

    @property
    def layer_groups(self) -> list[list[keras.layers.Layer]]:
        """Stem and norm before the blocks; each block; the norm after them."""
        before, after, norm = [self.stem], [], self._parts.norm
        if norm is not None:
            (after if norm in self.trunk.layers else before).append(norm)
        blocks = [[block] for group in self._parts.groups for block in group]
        return [before, *blocks, after]

    def make_stem(self, name: str = "stem") -> keras.Model:
        images = keras.Input(self.image_shape, name="images")
        # Each variable of a model needs its own path: PyTorch's trainer keeps only one
        # variable per path.
        grid = self._stem_convolution(
            normalized(images, self.mean, self.std), name.replace("stem", "convolution")
        )
        return keras.Model(images, grid, name=name)

    def apply_blocks(
        self, grid: Any, maps: dict[str, Any] | None = None, between: Any = None
    ) -> Any:
        for i, group in enumerate(self._parts.groups):
            for block in group:
                grid = block(grid)
            if between is not None:
                grid = between(i, grid)
        return grid

    def apply_trunk(self, grid: Any, maps: dict[str, Any] | None = None) -> Any:
        pool = keras.layers.GlobalAveragePooling2D(
            data_format="channels_last", name="pool", dtype=self.dtype_policy
        )
        return pool(grid)

    def head_initializer(self) -> keras.initializers.Initializer | None:
        return keras.initializers.HeNormal()

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["patch_size"]
        return {
            **config,
            "widening": self.widening,
            "l2": self.l2,
            "mean": self.mean,
            "std": self.std,
            "recompute": self.recompute,
        }
