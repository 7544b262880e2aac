import re
from pathlib import Path

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.backbones.backbone import Backbone
from keras_mixvit.backbones.named import backbone_names, make_backbone
from keras_mixvit.convert.hub import fetch

PATCH_SIZE = 16


def pretrained_backbone(
    name: str,
    image_size: int | tuple[int, int] | None = None,
    revision: str | None = None,
    cache_dir: str | None = None,
    **changes,
) -> tuple[Backbone, Path, int]:
    """The backbone of a model of timm, not yet with its weights.

    The backbone normalises images of 0 to 255 as the model was trained with.

    Args:
        name: String, what `fetch` takes.
        image_size: Integer or tuple of integers (H, W) in pixels, or `None`
            for that of the model. Defaults to `None`.
        revision: String or `None`, as in `fetch`. Defaults to `None`.
        cache_dir: String or `None`, as in `fetch`. Defaults to `None`.
        **changes: Arguments of `make_backbone` that shall differ.

    Returns:
        The backbone, the path of the weights, and the number of classes of
        their head.

    Raises:
        ValueError: If `name` or `image_size` cannot be, or the model is none
            of the named backbones.
        ConnectionError: If the hub cannot be reached.

    Example:

    ```python
    backbone, path, num_classes = pretrained_backbone("my_cait", image_size=32)
    print(load_timm_weights(backbone, path))
    ```
    """
    config, path = fetch(name, revision, cache_dir)
    architecture = str(config.get("architecture"))
    # timm's names of CaiT end in the image size.
    known = re.sub(r"_\d+$", "", architecture)
    require(
        known in backbone_names(),
        "`name` must be a model whose architecture is a named backbone, CaiT or "
        "ConViT.",
        name=name,
        architecture=architecture,
    )
    trained = config.get("pretrained_cfg", {})
    channels, *size = trained.get("input_size", (3, 224, 224))
    if image_size is not None:
        size = image_size if isinstance(image_size, (tuple, list)) else [image_size] * 2
        require(
            len(size) == 2,
            "`image_size` must be an integer or (height, width).",
            image_size=image_size,
        )
        for side in size:
            require_positive_integer("image_size", side)
    arguments = {
        argument: tuple(255.0 * value for value in trained[argument])
        for argument in ("mean", "std")
        if argument in trained
    }
    backbone = make_backbone(
        known, (*size, channels), PATCH_SIZE, **{**arguments, **changes}
    )
    return backbone, path, int(config.get("num_classes", 1000))
