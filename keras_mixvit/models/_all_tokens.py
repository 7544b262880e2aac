"""`MixViT` on all tokens: it stacks the grids of M images instead of mixing them."""

from typing import Any

from keras import ops

from keras_mixvit.backbones._features import grid_of, prefix_of, with_prefix
from keras_mixvit.models._axes import folded, stacked, unfolded

# A `MixViT`, whose module imports this one.
Model = Any


def all_tokens_logits(
    model: Model, images: Any, maps: dict[str, Any] | None = None
) -> Any:
    """Logits `(B, M, K)` of one pass over the stacked grids of all images.

    Args:
        model: `MixViT`.
        images: Tensor `(B, M, H, W, C)`.
        maps: Dict to fill with the attention weights of each block, or `None`. Defaults
            to `None`.
    """
    backbone = model.backbone
    features = backbone.apply_position(model.stem(folded(images)))
    grids = unfolded(grid_of(features), model.num_subnetworks)
    prefix = prefix_of(features)
    if prefix is not None:
        # Prefix tokens are the same for every image: one set reads all grids.
        prefix = unfolded(prefix, model.num_subnetworks)[:, 0]
    if model.attribution_position == "early":
        grids = _attributed(model, grids)
    features = with_prefix(stacked(grids), prefix)
    features = backbone.apply_blocks(features, maps)
    if model.attribution_position == "late":
        grids = ops.reshape(grid_of(features), (-1, *grids.shape[1:]))
        grid = stacked(_attributed(model, grids))
        features = with_prefix(grid, prefix_of(features))
    return model.heads(backbone.apply_trunk(features, maps))


def _attributed(model, grids):
    return grids if model.attribution is None else model.attribution(grids)
