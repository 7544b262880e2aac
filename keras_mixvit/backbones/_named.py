from typing import Any

from keras_mixvit._checks import require_known
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._cait import CaiT
from keras_mixvit.backbones._convit import ConViT


def _cait(width, num_blocks, layer_scale, stochastic_depth_rate):
    # All sizes have heads of 48 features and two class-attention blocks.
    return CaiT, {
        "width": width,
        "num_heads": width // 48,
        "num_blocks": num_blocks,
        "layer_scale": layer_scale,
        "stochastic_depth_rate": stochastic_depth_rate,
    }


def _convit(num_heads):
    return ConViT, {
        "width": 48 * num_heads,
        "num_heads": num_heads,
        "num_blocks": 10,
        "trunk_attention": "self_attention",
        "stochastic_depth_rate": 0.1,
    }


# Layer scale is that of the published code, which has no M-24: the CaiT paper
# takes 1e-5 at depth 24. Stochastic depth is not in that code; the rates are
# those for training at 224 pixels as they are commonly quoted from the paper.
NAMED = {
    "cait_xxs24": _cait(192, 24, 1e-5, 0.05),
    "cait_xxs36": _cait(192, 36, 1e-5, 0.1),
    "cait_xs24": _cait(288, 24, 1e-5, 0.05),
    "cait_s24": _cait(384, 24, 1e-5, 0.1),
    "cait_s36": _cait(384, 36, 1e-6, 0.2),
    "cait_m24": _cait(768, 24, 1e-5, 0.2),
    "cait_m36": _cait(768, 36, 1e-6, 0.3),
    "cait_m48": _cait(768, 48, 1e-6, 0.4),
    "convit_tiny": _convit(4),
    "convit_small": _convit(9),
    "convit_base": _convit(16),
    # The variant of the MixViT paper, which states no stochastic depth for it.
    "convit_mixvit": (ConViT, {}),
    "convit_dytox": (
        ConViT,
        {"num_class_blocks": 1, "epsilon": 1e-5, "stochastic_depth_rate": 0.1},
    ),
}


def make_backbone(
    name: str,
    /,
    image_shape: tuple[int, int, int] = (224, 224, 3),
    patch_size: int = 16,
    **changes: Any,
) -> Backbone:
    """A published backbone by its name, with new weights.

    | name | width | blocks | heads | layer scale | stochastic depth |
    |---|---|---|---|---|---|
    | `cait_xxs24` | 192 | 24 + 2 | 4 | 1e-5 | 0.05 |
    | `cait_xxs36` | 192 | 36 + 2 | 4 | 1e-5 | 0.1 |
    | `cait_xs24` | 288 | 24 + 2 | 6 | 1e-5 | 0.05 |
    | `cait_s24` | 384 | 24 + 2 | 8 | 1e-5 | 0.1 |
    | `cait_s36` | 384 | 36 + 2 | 8 | 1e-6 | 0.2 |
    | `cait_m24` | 768 | 24 + 2 | 16 | 1e-5 | 0.2 |
    | `cait_m36` | 768 | 36 + 2 | 16 | 1e-6 | 0.3 |
    | `cait_m48` | 768 | 48 + 2 | 16 | 1e-6 | 0.4 |
    | `convit_tiny` | 192 | 10 + 2 | 4 | none | 0.1, rising |
    | `convit_small` | 432 | 10 + 2 | 9 | none | 0.1, rising |
    | `convit_base` | 768 | 10 + 2 | 16 | none | 0.1, rising |
    | `convit_mixvit` | 384 | 5 + 2 | 12 | none | 0 |
    | `convit_dytox` | 384 | 5 + 1 | 12 | none | 0.1, rising |

    `convit_mixvit` is the MixViT paper's, `convit_dytox` the one from which
    it was made, whose epsilon is 1e-5. The last blocks of `convit_tiny`,
    `convit_small` and `convit_base` are self-attention over class token and
    patches, all others class attention.

    Args:
        name: String, one of the names above.
        image_shape: Tuple of integers (H, W, C). Defaults to `(224, 224, 3)`.
        patch_size: Integer, the side of a patch in pixels. Defaults to `16`.
        **changes: Arguments of `CaiT` or `ConViT` that shall differ.

    Returns:
        A `CaiT` or a `ConViT`.

    Raises:
        ValueError: If no backbone has that name, or an argument is out of its
            range.

    Example:

    ```python
    backbone = make_backbone("cait_xxs24", (32, 32, 3), patch_size=8, num_blocks=1)
    assert backbone.trunk.output.shape == (None, 192)
    ```

    References:
        CaiT (Touvron et al., 2021); ConViT (d'Ascoli et al., 2021);
        DyTox (Douillard et al., 2022); MixViT, Section 4.
    """
    require_known("name", name, NAMED)
    backbone, options = NAMED[name]
    arguments = {"name": name, **options, **changes}
    return backbone(image_shape, patch_size, **arguments)


def backbone_names() -> tuple[str, ...]:
    """The names that `make_backbone` knows.

    Returns:
        Tuple of strings.

    Example:

    ```python
    assert "convit_tiny" in backbone_names()
    ```
    """
    return tuple(NAMED)
