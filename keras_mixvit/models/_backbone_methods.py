from typing import Any, Self

import keras
import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require
from keras_mixvit._old_names import with_new_names
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._features import grid_of
from keras_mixvit.layers import SubnetworkHeads
from keras_mixvit.models._attention_maps import attention_maps
from keras_mixvit.models._fine_tuning import FineTuning
from keras_mixvit.models._frozen_layers import freeze, frozen_paths
from keras_mixvit.models._presets import Presets
from keras_mixvit.models._quantized_layers import quantize_again, quantized_layers


class BackboneMethods(Presets, FineTuning):
    """Mixin for a `MIMOModel` that uses the layers of a backbone.

    The model defines `_inference_network`, which builds the graph from images to
    subnetwork logits and passes the dict of attention maps to `_run_body` and
    `_run_trunk`.
    """

    @property
    def backbone(self) -> Backbone:
        """The backbone whose layers the model uses."""
        return self._held.backbone

    def attention_maps(
        self,
        images: npt.ArrayLike,
        blocks: list[str] | None = None,
        batch_size: int = 32,
    ) -> dict[str, np.ndarray]:
        """Attention weights of the blocks, to see what inference looks at.

        S is the number of times that a block runs in inference: M, in the order of the
        subnetworks, if it runs once for each, and 1 otherwise. The T tokens of a map
        are those of the grid, row by row, or of M grids if `input_mixing` is
        `"all_tokens"`. In a `ViT`, the class token and the registers come first.

        Args:
            images: Array `(n, H, W, C)`.
            blocks: List of names of the blocks wanted, such as
                `["class_block_1"]`, or `None` for all. Defaults to `None`.
            batch_size: Integer, images per step. Defaults to `32`.

        Returns:
            Dict from the name of each block to an array, in the order in which the
            blocks run or you list them: `(n, S, num_heads, T, T)` for self-attention,
            each row the weights of one query; `(n, S, num_heads, 1 + T)` for class
            attention, the class token first.

        Raises:
            ValueError: If images do not fit the model, or no block has one of the
                names.

        Example:

        ```python
        model = MixViT(ConViT((8, 8, 1), 2, 16, 4, 1, 1), num_classes=10)
        maps = model.attention_maps(np.zeros((3, 8, 8, 1)))
        assert maps["block_0"].shape == (3, 1, 4, 16, 16)
        assert maps["class_block_0"].shape == (3, 2, 4, 17)
        ```

        References:
            MixViT, Section 2.4 and Algorithm 2.
        """
        return attention_maps(self, images, blocks, batch_size)

    def _make_heads(self, count):
        return SubnetworkHeads(
            self.num_classes,
            count,
            self.backbone.head_initializer(),
            self.backbone.l2,
            name="heads",
            dtype=self.dtype_policy,
        )

    def _run_body(self, grid, maps=None):
        if maps is None:
            return self.body(grid)
        return self.backbone.apply_blocks(self.backbone.apply_position(grid), maps)

    def _run_trunk(self, grid, maps=None):
        return (
            self.trunk(grid) if maps is None else self.backbone.apply_trunk(grid, maps)
        )

    def get_config(self) -> dict[str, Any]:
        # Without this, Keras would add the layers of a graph to the config.
        frozen, quantized = frozen_paths(self), quantized_layers(self)
        return {
            **({"frozen": frozen} if frozen else {}),
            **({"quantized": quantized} if quantized else {}),
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "num_classes": self.num_classes,
            "temperature": self.temperature,
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = with_new_names(cls, config)
        frozen = config.pop("frozen", ())
        quantized = config.pop("quantized", {})
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        model = cls(**{**config, "backbone": backbone})
        freeze(model, frozen)
        quantize_again(model, quantized)
        return model


def image_shape_of(backbone: Backbone) -> tuple[int, int, int]:
    """Shape (H, W, C) of the images of a backbone.

    Raises:
        ValueError: If `backbone` is not a `Backbone`.
    """
    require(
        isinstance(backbone, Backbone),
        "`backbone` must be a `Backbone`.",
        backbone=backbone,
    )
    return backbone.image_shape


def require_own_paths(model: keras.Model) -> None:
    """Requires every variable of a model to have a path of its own."""
    paths = [variable.path for variable in model.variables]
    shared = sorted({path for path in paths if paths.count(path) > 1})
    require(
        not shared,
        "`backbone` must give every variable a path of its own: PyTorch's trainer "
        "keeps one variable per path.",
        shared=shared,
    )


def keeps_grid(backbone: Backbone) -> bool:
    """Whether the body of a backbone has the same grid as its stem."""
    return tuple(grid_of(backbone.body.output).shape[1:3]) == backbone.grid_shape
