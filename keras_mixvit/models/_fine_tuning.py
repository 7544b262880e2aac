from typing import Any

import keras

from keras_mixvit._checks import (
    is_integer,
    is_number,
    require,
    require_positive_integer,
)
from keras_mixvit._model_mixin import ModelMixin


class FineTuning(ModelMixin):
    """Mixin of models with a backbone: which layers train, how fast, and from when."""

    @property
    def layer_groups(self) -> list[list[keras.layers.Layer]]:
        """The layers with weights in groups, from the images to the classes.

        The first group has the stems and all before the first block. Each further group
        is one block of the backbone. The last group has the last normalisation, the
        source attribution and the heads.
        """
        first, *blocks, last = self.backbone.layer_groups
        return [[*first, *self._further_stems], *blocks, [*last, *self._new_layers]]

    @property
    def _further_stems(self) -> list:
        return []

    @property
    def _new_layers(self) -> list:
        """The layers that a backbone of single images lacks."""
        return [self.heads]

    def freeze_blocks(self, count: int) -> None:
        """Freezes the stem and the first blocks, and lets all other layers train.

        Frozen layers keep their weights, and their batch norm keeps its statistics.
        Compile the model afterwards, as Keras requires.

        Args:
            count: Integer, the number of blocks to freeze with the stem. 0 freezes
                nothing, not even the stem.

        Raises:
            ValueError: If the backbone has fewer blocks.

        Example:

        ```python
        model = SingleNetwork(CaiT((8, 8, 1), 2, 16, 4, num_blocks=3), num_classes=2)
        model.freeze_blocks(2)
        assert not model.stem.trainable and model.heads.trainable
        ```
        """
        groups = self.layer_groups
        blocks = len(groups) - 2
        require(
            is_integer(count) and 0 <= count <= blocks,
            f"`count` must be an integer from 0 to {blocks}, the number of blocks.",
            count=count,
        )
        for i, group in enumerate(groups):
            for layer in group:
                layer.trainable = count == 0 or i > count

    def layer_rates(self, decay: float) -> dict[str, float]:
        """Factors for learning rates that fall from the classes to the images.

        The last group of `layer_groups` has the factor 1, and every group before it
        `decay` times that of the next one. A pretrained network changes least where its
        features are most general. Pass the result to `LayerwiseAdamW` or
        `LayerwiseSGD`.

        Args:
            decay: Float in (0, 1]; 0.65 to 0.9 is usual for a vision transformer.

        Returns:
            Dict from the paths of all trainable variables to factors.

        Raises:
            ValueError: If `decay` is out of its range.

        Example:

        ```python
        model = MixViT(CaiT((8, 8, 1), 2, 16, 4, num_blocks=1), num_classes=2)
        rates = model.layer_rates(0.5)
        assert rates["heads/kernel"] == 1.0
        ```
        """
        require(
            is_number(decay) and 0 < decay <= 1,
            "`decay` must be a number in (0, 1].",
            decay=decay,
        )
        groups = self.layer_groups
        return {
            variable.path: float(decay) ** (len(groups) - 1 - i)
            for i, group in enumerate(groups)
            for layer in group
            for variable in layer.trainable_variables
        }

    def layer_starts(self, batches: int) -> dict[str, int]:
        """Starts with which only source attribution and heads learn at first.

        New heads send useless gradients into a pretrained network. Let them learn alone
        for a while. Pass the result to `LayerwiseAdamW` or `LayerwiseSGD`.

        Args:
            batches: Integer, the number of batches that all other layers wait.

        Returns:
            Dict from the paths of the variables that wait to `batches`.

        Raises:
            ValueError: If `batches` is not a positive integer.

        Example:

        ```python
        model = MixViT(CaiT((8, 8, 1), 2, 16, 4, num_blocks=1), num_classes=2)
        assert "heads/kernel" not in model.layer_starts(100)
        ```
        """
        require_positive_integer("batches", batches)
        new: Any = self._new_layers
        paths = {variable.path for layer in new for variable in layer.variables}
        return {
            variable.path: batches
            for variable in self.trainable_variables
            if variable.path not in paths
        }
