"""Drawing masks of `PatchCutMix`."""

import numpy as np

from keras_mixvit.masks import (
    PatchCutMix,
)


def drawn(seed=0, batch_size=512, image_size=(16, 16), progress=0.0, **arguments):
    sampler = PatchCutMix(**{"patch_size": 4, **arguments})
    return sampler.draw(
        np.random.default_rng(seed), batch_size, image_size, progress=progress
    )


def patches(pixels, p):
    height, width = pixels.shape[-2:]
    return pixels.reshape(*pixels.shape[:-2], height // p, p, width // p, p)
