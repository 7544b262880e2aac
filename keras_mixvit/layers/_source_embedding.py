from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require
from keras_mixvit.layers._mlp import normal
from keras_mixvit.layers._source_attribution import SourceAttribution


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SourceEmbedding(SourceAttribution):
    """Source attribution by one learned vector per source, added to tokens.

    The paper does not say where the vectors start: like the position table
    and the class token, at a normal distribution of standard deviation 0.02.

    All tokens share the vector of a source, so the layers that follow can do without M
    grids: see `ClassAttentionBlock`. Then vectors are not added but returned.

    Args:
        num_subnetworks: Integer of at least 2, the number M of sources.

    Call arguments:
        tokens: A grid `(B, h, w, d)`, or M grids `(B, M, h, w, d)`, of which
            grid m gets source m.
        masks: Share of each source at each position, `(B, M, h, w)`, or `None`
            to give every token to every source in turn.
        source: Integer, the only source to give the tokens to when `masks` is
            `None`; `None` for all.
        added: Boolean, whether vectors are added to the tokens; `False`, without
            masks and on one grid, for the vectors alone.

    Input shape:
        `(B, h, w, d)` or `(B, M, h, w, d)`.

    Output shape:
        `(B, h, w, d)` with masks, else `(B, M, h, w, d)`, or
        `(B, 1, h, w, d)` with a single source. The vectors alone are `(M, d)`
        or `(1, d)`.

    Raises:
        ValueError: If `num_subnetworks` is not an integer of at least 2, `source` is
            not the index of a subnetwork or is given with masks, or `added` is `False`
            with masks or M grids.

    Example:

    ```python
    attribution = SourceEmbedding(num_subnetworks=2)
    assert attribution(np.zeros((3, 8, 8, 16))).shape == (3, 2, 8, 8, 16)
    ```

    References:
        MixViT, Section 2.3, Eq. 3.
    """

    def build(self, tokens_shape: tuple, masks_shape: tuple | None = None) -> None:
        self.embedding = self.add_weight(
            name="source_embedding",
            shape=(self.num_subnetworks, tokens_shape[-1]),
            initializer=normal(),
        )

    def call(
        self, tokens: Any, masks: Any = None, source: Any = None, added: bool = True
    ) -> Any:
        require(
            added or (masks is None and len(tokens.shape) == 4),
            "`added` must be True with masks or with one grid per source.",
            added=added,
        )
        if added:
            return super().call(tokens, masks, source)
        return self._vectors()[self._selected(source)]

    def _mixed(self, tokens, masks):
        return ops.einsum("bmhw,md->bhwd", masks, self._vectors())

    def _paired(self, tokens):
        return self._vectors()[:, None, None]

    def _every(self, tokens, selected):
        return self._vectors()[selected, None, None]

    def _vectors(self):
        return self.computed(self.embedding)
