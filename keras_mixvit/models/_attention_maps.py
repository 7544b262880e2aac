"""The attention weights of the blocks of a model."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require, require_known, require_positive_integer
from keras_mixvit.backbones import ViT
from keras_mixvit.data.sources._array_checks import require_images
from keras_mixvit.distribution._find_parallel import predict_spread
from keras_mixvit.models._graph import Graph

# A `MIMOModel` with `BackboneMethods`, which import this module.
Model = Any


def attention_maps(
    model: Model,
    images: npt.ArrayLike,
    blocks: list[str] | None,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """The result of `model.attention_maps`."""
    images = require_images("images", keras.ops.convert_to_numpy(images))
    require(
        images.shape[1:] == model.image_shape,
        f"`images` must have shape (n, H, W, C) with (H, W, C) = {model.image_shape}.",
        shape=images.shape,
    )
    require_positive_integer("batch_size", batch_size)
    network = attention_network(model, blocks)
    found = predict_spread(network.predict, network, images, batch_size, verbose=0)
    # The passes are concatenated along the batch axis.
    return {
        name: found[name]
        .reshape(len(images), -1, *found[name].shape[1:])
        .astype("float32")
        for name in network.output
    }


def attention_network(model: Model, blocks: list[str] | None) -> Graph:
    """The graph from images to the attention maps of blocks; it is built once."""
    require(
        blocks is None or (len(blocks) > 0 and not isinstance(blocks, str)),
        "`blocks` must be None or a list of names.",
        blocks=blocks,
    )
    key = None if blocks is None else tuple(blocks)
    networks = model._held.attention_networks
    if key not in networks:
        maps = {}
        images = model._inference_network(maps).input
        require(
            maps,
            "`backbone` must have attention; convolutional networks have none.",
            backbone=model.backbone.name,
        )
        for name in blocks or ():
            require_known("blocks", name, maps)
        chosen = maps if blocks is None else {name: maps[name] for name in blocks}
        networks[key] = Graph(images, chosen, name="attention")
    return networks[key]


def last_block(model: Model) -> str | None:
    """The name of the last block with attention, or `None` without one."""
    try:
        return list(attention_network(model, None).output)[-1]
    except ValueError:
        return None


def num_prefix_tokens(model: Model) -> int:
    """How many tokens stand before the patches in a map, at least the class token."""
    backbone = model.backbone
    # One that has no prefix tokens does not need the number.
    return max(1, backbone.num_prefix_tokens) if isinstance(backbone, ViT) else 1
