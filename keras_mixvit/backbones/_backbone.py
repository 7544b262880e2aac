import abc
from collections.abc import Callable
from typing import Any, Self

import keras
from keras import ops

from keras_mixvit._checks import is_number, require, require_positive_integer
from keras_mixvit._kept_steps import KeepsSteps
from keras_mixvit._old_names import with_new_names
from keras_mixvit.backbones._features import grid_of, prefix_of
from keras_mixvit.layers import SourceEmbedding, SourceEncoding
from keras_mixvit.layers._patch_embedding import require_divides


class Backbone(KeepsSteps, keras.Model, abc.ABC):
    """A network of three stages, with a grid of features between them, for your own.

        images (B, H, W, C) --stem--> grid --body--> grid --trunk--> (B, f)

    A grid has shape (B, h, w, d). Some networks have tokens that belong to no position
    of the image: a class token or registers. They pass the list [grid, prefix] from
    body to trunk instead, where prefix has shape (B, P, d). `apply_position` makes
    this list, the other two `apply` methods take it, and models attribute sources to
    the grid only.

    `stem`, `body` and `trunk` are functional models; the body begins with the
    position. A subclass makes its layers and defines `make_stem` and the three `apply`
    methods, which also run the same layers on grids of another shape. It calls
    `_connect` at the end of its constructor.

    Args:
        image_shape: Tuple of integers (H, W, C).
        patch_size: Integer, the side in pixels of one position of the grid.
        l2: Non-negative float, the weight of the sum of squares of all
            parameters in the loss. Defaults to `0.0`.
        name: String, the name of the model, or `None`. Defaults to `None`.
        dtype: Dtype or dtype policy, or `None` for the global policy.
            Defaults to `None`.

    Raises:
        ValueError: If `image_shape` is not three positive integers, or `patch_size`
            does not divide the image size.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        patch_size: int,
        l2: float = 0.0,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        require(
            isinstance(image_shape, (tuple, list)) and len(image_shape) == 3,
            "`image_shape` must be (height, width, channels).",
            image_shape=image_shape,
        )
        for side in image_shape:
            require_positive_integer("image_shape", side)
        require_positive_integer("patch_size", patch_size)
        require(
            is_number(l2) and 0 <= l2 < float("inf"),
            "`l2` must not be negative.",
            l2=l2,
        )
        self.l2 = l2
        height, width, channels = image_shape
        self.image_shape = height, width, channels
        self.patch_size = patch_size
        require_divides(patch_size, self.image_shape[:2])

    @property
    def grid_shape(self) -> tuple[int, int]:
        """Shape (h, w) of the grid between the stages."""
        height, width, _ = self.image_shape
        return height // self.patch_size, width // self.patch_size

    @property
    def layer_groups(self) -> list[list[keras.layers.Layer]]:
        """The layers with weights in groups, from the images to the features.

        The first group has the stem and all before the first block. Each further group
        is one block. The last one has what comes after the last block, and may be
        empty. In this class, every layer of `body` and `trunk` counts as a block.
        """
        layers = [*self.body.layers, *self.trunk.layers]
        blocks = [[layer] for layer in layers if layer.weights]
        return [[self.stem], *blocks, []]

    @abc.abstractmethod
    def make_stem(self, name: str = "stem") -> keras.Model:
        """A new stem, from images to a grid without position."""

    @abc.abstractmethod
    def head_initializer(self) -> keras.initializers.Initializer | None:
        """The initialiser for `SubnetworkHeads`, or `None` for its default."""

    def apply_position(self, grid: Any) -> Any:
        """Grid, or `[grid, prefix]`, with position added; unchanged in this class."""
        return grid

    @abc.abstractmethod
    def apply_blocks(
        self,
        grid: Any,
        maps: dict[str, Any] | None = None,
        between: Callable[[int, Any], Any] | None = None,
    ) -> Any:
        """Grid, or `[grid, prefix]`, after the blocks of the body.

        Args:
            grid: Tensor `(B, h, w, d)`, or the result of `apply_position`.
            maps: Dict to fill with the attention weights of each block, by its name, or
                `None`. Defaults to `None`.
            between: Function that takes the index of a group of blocks and its output,
                and returns the input of the next group; or `None`. Defaults to `None`.
        """

    @abc.abstractmethod
    def apply_trunk(self, grid: Any, maps: dict[str, Any] | None = None) -> Any:
        """Features `(B, f)` of a grid.

        Args:
            grid: Tensor `(B, h, w, d)`, or the result of `apply_blocks`.
            maps: As in `apply_blocks`. Defaults to `None`.
        """

    def apply_trunk_per_source(
        self,
        grid: Any,
        attribution: SourceEmbedding | SourceEncoding,
        source: int | None = None,
        maps: dict[str, Any] | None = None,
    ) -> Any:
        """Features `(B, M, f)` of a grid attributed to each source in turn.

        This method builds the M grids and runs the trunk on all of them. A subclass may
        compute the same features at a lower cost.

        Args:
            grid: Tensor `(B, h, w, d)`, or `[grid, prefix]`, after the body.
            attribution: Layer that makes the M grids.
            source: Integer, the only source, so M = 1; or `None` for all. Defaults to
                `None`.
            maps: As in `apply_blocks`. Defaults to `None`.
        """
        prefix = prefix_of(grid)
        grids = attribution(grid_of(grid), source=source)
        folded = ops.reshape(grids, (-1, *grids.shape[2:]))
        if prefix is not None:
            # Only patches have a source: prefix tokens stay the same.
            folded = [folded, ops.repeat(prefix, grids.shape[1], axis=0)]
        # In a graph, the stage is one layer.
        features = (
            self.trunk(folded) if maps is None else self.apply_trunk(folded, maps)
        )
        return ops.reshape(features, (-1, grids.shape[1], *features.shape[1:]))

    def _connect(self):
        self.stem = self.make_stem()
        # Stages pass tensors of the compute dtype, without a cast in between.
        grid_shape, dtype = self.stem.output.shape[1:], self.compute_dtype
        grid = keras.Input(grid_shape, name="grid", dtype=dtype)
        body = self.apply_blocks(self.apply_position(grid))
        self.body = keras.Model(grid, body, name="body")
        grid, prefix = grid_of(body), prefix_of(body)
        features = keras.Input(grid.shape[1:], name="grid", dtype=dtype)
        if prefix is not None:
            prefix = keras.Input(prefix.shape[1:], name="prefix", dtype=dtype)
            features = [features, prefix]
        self.trunk = keras.Model(features, self.apply_trunk(features), name="trunk")
        self.built = True

    def call(self, images: Any, training: bool | None = None) -> Any:
        features = self.stem(images, training=training)
        features = self.body(features, training=training)
        return self.trunk(features, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], *self.trunk.output.shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {
            "image_shape": self.image_shape,
            "patch_size": self.patch_size,
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**with_new_names(cls, config))
