import keras
from keras import ops

from keras_mixvit.layers._mlp import normal
from keras_mixvit.layers._source_attribution import SourceAttribution


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SourceEmbedding(SourceAttribution):
    """Source attribution by one learned vector per source, added to tokens.

    The paper does not say where the vectors start: like the position table
    and the class token, at a normal distribution of standard deviation 0.02.

    Args:
        num_subnetworks: Integer of at least 2, the number M of sources.

    Call arguments:
        tokens: A grid `(B, h, w, d)`, or M grids `(B, M, h, w, d)`, of which
            grid m gets source m.
        masks: Share of each source at each position, `(B, M, h, w)`, or `None`
            to give every token to every source in turn.
        source: Integer, the only source to give the tokens to when `masks` is
            `None`; `None` for all.

    Input shape:
        `(B, h, w, d)` or `(B, M, h, w, d)`.

    Output shape:
        `(B, h, w, d)` with masks, else `(B, M, h, w, d)`, or
        `(B, 1, h, w, d)` with a single source.

    Raises:
        ValueError: If `num_subnetworks` is not an integer of at least 2, or
            `source` is no index of a subnetwork or given beside masks.

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

    def _mixed(self, tokens, masks):
        return ops.einsum("bmhw,md->bhwd", masks, self._vectors())

    def _paired(self, tokens):
        return self._vectors()[:, None, None]

    def _every(self, tokens, selected):
        return self._vectors()[selected, None, None]

    def _vectors(self):
        return self.computed(self.embedding)
