import keras
from keras import ops

from keras_mixvit.layers._mlp import normal
from keras_mixvit.layers._source_attribution import SourceAttribution


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SourceEncoding(SourceAttribution):
    """Source attribution by one linear layer per source, added to tokens.

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
        ValueError: If `num_subnetworks` is not an integer of at least 2, or `source` is
            not the index of a subnetwork or is given with masks.

    Example:

    ```python
    attribution = SourceEncoding(num_subnetworks=2)
    masks = np.full((3, 2, 8, 8), 0.5)
    assert attribution(np.zeros((3, 8, 8, 16)), masks).shape == (3, 8, 8, 16)
    ```

    References:
        MixViT, Section 2.3, Eq. 2.
    """

    def build(self, tokens_shape: tuple, masks_shape: tuple | None = None) -> None:
        width = tokens_shape[-1]
        self.kernel = self.add_weight(
            name="source_kernel",
            shape=(self.num_subnetworks, width, width),
            initializer=normal(),
        )
        self.bias = self.add_weight(
            name="source_bias",
            shape=(self.num_subnetworks, width),
            initializer="zeros",
        )

    def _mixed(self, tokens, masks):
        # Masking before the product leaves one matrix product over M·d
        # features, and M grids of encoded tokens are never stored.
        masked = masks[..., None] * tokens[:, None]
        kernel, bias = self.computed(self.kernel), self.computed(self.bias)
        encoded = ops.einsum("bmhwd,mde->bhwe", masked, kernel)
        return encoded + ops.einsum("bmhw,md->bhwd", masks, bias)

    def _paired(self, tokens):
        kernel, bias = self.computed(self.kernel), self.computed(self.bias)
        encoded = ops.einsum("bmhwd,mde->bmhwe", tokens, kernel)
        return encoded + bias[:, None, None]

    def _every(self, tokens, selected):
        kernel, bias = self.computed(self.kernel), self.computed(self.bias)
        encoded = ops.einsum("bhwd,mde->bmhwe", tokens, kernel[selected])
        return encoded + bias[selected, None, None]
