from typing import Any

from keras_mixvit._checks import require_known
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._cait import CaiT
from keras_mixvit.backbones._convit import ConViT
from keras_mixvit.backbones._vit import ViT


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


def _vit(width, depth, **options):
    # All sizes have heads of 64 features. The last two blocks are the trunk.
    size = {"width": width, "num_heads": width // 64, "num_blocks": depth - 2}
    return ViT, {**size, **options}


def _deit3(width, stochastic_depth_rate):
    # Layer scale and rates are those of the published code for ImageNet-1k, the same in
    # all blocks.
    return _vit(
        width,
        12,
        prefix_positions=False,
        layer_scale=1e-4,
        stochastic_depth_rate=stochastic_depth_rate,
        stochastic_depth_rises=False,
    )


def _dinov2(width):
    # timm's position table has no entries for the registers and the class token. The
    # rates of the pretraining are not those of a classifier.
    return _vit(width, 12, num_registers=4, prefix_positions=False, layer_scale=1e-5)


def _distilled(width):
    return _vit(width, 12, pooling="distilled", stochastic_depth_rate=0.1)


def _clip(width, depth, **options):
    # Without the projection into the space of images and texts.
    return _vit(width, depth, pre_norm=True, epsilon=1e-5, **options)


QUICK = {"mlp_activation": "quick_gelu"}
# Layer scale is that of the published code, which has no M-24: the CaiT paper uses 1e-5
# at depth 24. That code has no stochastic depth; the rates are those commonly quoted
# from the paper for training at 224 pixels.
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
    # The variant of the MixViT paper, which gives no stochastic depth for it.
    "convit_mixvit": (ConViT, {}),
    "convit_dytox": (
        ConViT,
        {"num_class_blocks": 1, "epsilon": 1e-5, "stochastic_depth_rate": 0.1},
    ),
    "vit_tiny_patch16": _vit(192, 12),
    "vit_small_patch16": _vit(384, 12),
    "vit_base_patch16": _vit(768, 12),
    "vit_large_patch16": _vit(1024, 24),
    "deit_tiny_patch16": _vit(192, 12, stochastic_depth_rate=0.1),
    "deit_small_patch16": _vit(384, 12, stochastic_depth_rate=0.1),
    "deit_base_patch16": _vit(768, 12, stochastic_depth_rate=0.1),
    "deit_tiny_distilled_patch16": _distilled(192),
    "deit_small_distilled_patch16": _distilled(384),
    "deit_base_distilled_patch16": _distilled(768),
    "deit3_small_patch16": _deit3(384, 0.05),
    "deit3_base_patch16": _deit3(768, 0.2),
    "vit_small_patch14_reg4_dinov2": _dinov2(384),
    "vit_base_patch14_reg4_dinov2": _dinov2(768),
    "vit_base_patch32_clip": _clip(768, 12),
    "vit_base_patch16_clip": _clip(768, 12),
    "vit_large_patch14_clip": _clip(1024, 24),
    "vit_base_patch32_clip_quickgelu": _clip(768, 12, **QUICK),
    "vit_base_patch16_clip_quickgelu": _clip(768, 12, **QUICK),
    "vit_large_patch14_clip_quickgelu": _clip(1024, 24, **QUICK),
}
# Image size and patch size in pixels, if they are not 224 and 16.
SIZES = {
    "vit_small_patch14_reg4_dinov2": (518, 14),
    "vit_base_patch14_reg4_dinov2": (518, 14),
    "vit_base_patch32_clip": (224, 32),
    "vit_large_patch14_clip": (224, 14),
    "vit_base_patch32_clip_quickgelu": (224, 32),
    "vit_large_patch14_clip_quickgelu": (224, 14),
}


def published_sizes(name: str) -> tuple[int, int]:
    """The sides in pixels of image and patch of a named backbone."""
    return SIZES.get(name, (224, 16))


def make_backbone(
    name: str,
    /,
    image_shape: tuple[int, int, int] | None = None,
    patch_size: int | None = None,
    **changes: Any,
) -> Backbone:
    """A published backbone by its name, with new weights, to train from scratch.

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
    | `vit_tiny_patch16` | 192 | 10 + 2 | 3 | none | 0 |
    | `vit_small_patch16` | 384 | 10 + 2 | 6 | none | 0 |
    | `vit_base_patch16` | 768 | 10 + 2 | 12 | none | 0 |
    | `vit_large_patch16` | 1024 | 22 + 2 | 16 | none | 0 |
    | `deit_tiny_patch16` | 192 | 10 + 2 | 3 | none | 0.1, rising |
    | `deit_small_patch16` | 384 | 10 + 2 | 6 | none | 0.1, rising |
    | `deit_base_patch16` | 768 | 10 + 2 | 12 | none | 0.1, rising |
    | `deit_tiny_distilled_patch16` | 192 | 10 + 2 | 3 | none | 0.1, rising |
    | `deit_small_distilled_patch16` | 384 | 10 + 2 | 6 | none | 0.1, rising |
    | `deit_base_distilled_patch16` | 768 | 10 + 2 | 12 | none | 0.1, rising |
    | `deit3_small_patch16` | 384 | 10 + 2 | 6 | 1e-4 | 0.05 |
    | `deit3_base_patch16` | 768 | 10 + 2 | 12 | 1e-4 | 0.2 |
    | `vit_small_patch14_reg4_dinov2` | 384 | 10 + 2 | 6 | 1e-5 | 0 |
    | `vit_base_patch14_reg4_dinov2` | 768 | 10 + 2 | 12 | 1e-5 | 0 |
    | `vit_base_patch32_clip` | 768 | 10 + 2 | 12 | none | 0 |
    | `vit_base_patch16_clip` | 768 | 10 + 2 | 12 | none | 0 |
    | `vit_large_patch14_clip` | 1024 | 22 + 2 | 16 | none | 0 |
    | `vit_base_patch32_clip_quickgelu` | 768 | 10 + 2 | 12 | none | 0 |
    | `vit_base_patch16_clip_quickgelu` | 768 | 10 + 2 | 12 | none | 0 |
    | `vit_large_patch14_clip_quickgelu` | 1024 | 22 + 2 | 16 | none | 0 |

    `convit_mixvit` is the ConViT of the MixViT paper. It was derived from
    `convit_dytox`, whose epsilon is 1e-5. The last blocks of `convit_tiny`,
    `convit_small` and `convit_base` are self-attention over class token and patches;
    those of the other ConViTs and of CaiT are class attention. A ViT or DeiT has its
    class token from the first block on. The blocks after the plus run once per
    subnetwork. Those with `clip` are CLIP's image towers with a head of classes. Those
    with `quickgelu` are for OpenAI's weights, the others for OpenCLIP's.

    Args:
        name: String, one of the names above.
        image_shape: Tuple of integers (H, W, C), or `None` for (224, 224, 3); for
            DINOv2, (518, 518, 3). Defaults to `None`.
        patch_size: Integer, the side of a patch in pixels, or `None` for the number
            after `patch`, or 16. Defaults to `None`.
        **changes: Arguments of `CaiT`, `ConViT` or `ViT` to override.

    Returns:
        A `CaiT`, a `ConViT` or a `ViT`.

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
        DyTox (Douillard et al., 2022); MixViT, Section 4; ViT (Dosovitskiy et
        al., 2021); DeiT (Touvron et al., 2021); DeiT-III (Touvron et al., 2022);
        DINOv2 (Oquab et al., 2024) with registers (Darcet et al., 2024);
        CLIP (Radford et al., 2021).
    """
    require_known("name", name, NAMED)
    backbone, options = NAMED[name]
    arguments = {"name": name, **options, **changes}
    side, published_patch = published_sizes(name)
    return backbone(
        (side, side, 3) if image_shape is None else image_shape,
        published_patch if patch_size is None else patch_size,
        **arguments,
    )


def backbone_names() -> tuple[str, ...]:
    """The names that `make_backbone` accepts.

    Returns:
        Tuple of strings.

    Example:

    ```python
    assert "convit_tiny" in backbone_names()
    ```
    """
    return tuple(NAMED)
