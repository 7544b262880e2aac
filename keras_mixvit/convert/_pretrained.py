import os
import re
from dataclasses import dataclass
from pathlib import Path

from keras_mixvit._checks import require, require_image_size
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._named import (
    backbone_names,
    make_backbone,
    published_sizes,
)
from keras_mixvit.convert._hub import fetch
from keras_mixvit.convert._timm_config import require_config


@dataclass(frozen=True)
class Pretrained:
    """A backbone and the path of its pretrained weights.

    Args:
        backbone: The `Backbone`, with new weights.
        path: Path of the file of weights.
        num_classes: Integer, the number of classes of the pretrained head.
        source_grid: Tuple of integers (h, w), the grid that the weights were trained
            on, or `None` if it is unknown.

    Example:

    ```python
    backbone = CaiT((8, 8, 1), 2, 16, 4, num_blocks=1)
    print(Pretrained(backbone, Path("model.safetensors"), 1000, (14, 14)))
    ```
    """

    backbone: Backbone
    path: Path
    num_classes: int
    source_grid: tuple[int, int] | None


def pretrained_backbone(
    name: str | os.PathLike,
    image_size: int | tuple[int, int] | None = None,
    revision: str | None = None,
    cache_dir: str | None = None,
    changes: dict | None = None,
) -> Pretrained:
    """The backbone of a timm model, without its weights, and where these are.

    It takes images with values from 0 to 255, and normalises them as in the training of
    the model.

    Args:
        name: String, as in `fetch`.
        image_size: Integer or tuple of integers (H, W) in pixels, or `None` for the
            size of the model. Defaults to `None`.
        revision: String or `None`, as in `fetch`. Defaults to `None`.
        cache_dir: String or `None`, as in `fetch`. Defaults to `None`.
        changes: Dict of arguments of `CaiT`, `ConViT` or `ViT` to change, or
            `None`. Defaults to `None`.

    Returns:
        A `Pretrained`.

    Raises:
        ValueError: If `name`, `image_size` or `changes` is invalid, or the model is not
            one of the named backbones.
        ConnectionError: If the hub cannot be reached.

    Example:

    ```python
    found = pretrained_backbone("./my_cait", image_size=32)
    print(load_timm_weights(found.backbone, found.path))
    ```
    """
    config, path = fetch(name, revision, cache_dir)
    return backbone_of(name, config, path, image_size, changes)


def backbone_of(
    name: str | os.PathLike,
    config: dict,
    path: Path,
    image_size: int | tuple[int, int] | None,
    changes: dict | None,
) -> Pretrained:
    """The backbone of the files of a timm model, as `pretrained_backbone` documents.

    Args:
        name: String, for errors.
        config: Dict, the content of `config.json`.
        path: Path of the weights.
        image_size: As in `pretrained_backbone`.
        changes: As in `pretrained_backbone`.
    """
    require(
        changes is None or isinstance(changes, dict),
        "`changes` must be a dict of arguments, or None.",
        changes=changes,
    )
    changes = changes or {}
    require(
        not {"image_shape", "patch_size"} & set(changes),
        "`changes` must not have `image_shape` (use `image_size`) or `patch_size` "
        "(the weights decide it).",
        changes=sorted(changes),
    )
    known = backbone_name(name, config)
    trained = require_config(config)
    known_size = trained.get("input_size")
    side, patch_size = published_sizes(known)
    channels, *size = known_size or (3, side, side)
    source_grid = known_size and tuple(side // patch_size for side in size)
    if image_size is not None:
        size = require_image_size(image_size)
    arguments = {
        argument: tuple(255.0 * value for value in trained[argument])
        for argument in ("mean", "std")
        if argument in trained
    }
    backbone = make_backbone(
        known, (*size, channels), patch_size, **{**arguments, **changes}
    )
    return Pretrained(
        backbone,
        path,
        int(config.get("num_classes") or 1000),
        source_grid,
    )


def backbone_name(name: str | os.PathLike, config: dict) -> str:
    """The name for `make_backbone` of a timm model.

    Args:
        name: String, for errors.
        config: Dict, the content of `config.json`.

    Raises:
        ValueError: If the model is none of the named backbones.
    """
    architecture = str(config.get("architecture"))
    # timm's names end in the image size, except those of ConViT and DINOv2.
    known = re.sub(r"_\d+$", "", architecture)
    require(
        known in backbone_names(),
        "`name` must be a model whose architecture is a named backbone, CaiT, "
        "ConViT or ViT.",
        name=name,
        architecture=architecture,
    )
    return known
