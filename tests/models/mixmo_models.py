"""Small models of MixMo."""

from functools import partial

import numpy as np

from keras_mixvit import MixMo
from keras_mixvit.backbones import WideResNet
from tests.helpers import (
    images,
    set_weights,
    tiny_cait,
    tiny_convit,
    tiny_vit,
)


def tiny_wide(**changes):
    return WideResNet((8, 12, 3), depth=10, widening=1, **changes)


ONE_BLOCK = {"num_blocks": 1, "num_class_blocks": 1}
BACKBONES = {
    "wide": tiny_wide,
    "convit": partial(tiny_convit, **ONE_BLOCK),
    "cait": partial(tiny_cait, **ONE_BLOCK),
    "vit": partial(tiny_vit, **ONE_BLOCK),
}


def model_of(backbone="wide", members=2, **options):
    model = MixMo(BACKBONES[backbone](), 5, members, **options)
    set_weights(model, scale=0.2)
    return model


def pair(model, batch=3, seed=0):
    """Images and masks of drawn shares, as tensors of a mixed pair."""
    members = model.num_subnetworks
    shape = model.training_network.input["masks"].shape[2:]
    shares = np.random.default_rng(seed).random((batch, members, *shape))
    masks = (shares / shares.sum(axis=1, keepdims=True)).astype("float32")
    x = np.stack([images(batch, seed=seed + m) for m in range(members)], axis=1)
    return {"images": x, "masks": masks}
