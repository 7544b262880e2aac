"""What a seed draws, as it was stored: a change here changes every training."""

import numpy as np
import pytest

from keras_mixvit.augmentation import (
    Augment,
    AutoAugment,
    HorizontalFlip,
    PadCrop,
    RandomErasing,
)
from keras_mixvit.data import PixelMixing
from keras_mixvit.masks import PatchCutMix
from tests.data.pairs import pairs

# Of each array: its mean, and the mean of it times 0 to 1 in the order of its entries.
STORED = {
    "row": [3.03125, 1.6491935483870968],
    "column": [4.46875, 1.9989919354838708],
    "flipped": [0.53125, 0.28931451612903225],
    "operation": [3.984375, 2.063988095238095],
    "strength": [11.59673722460866, 6.679093171482062],
    "erased box": [3.3671875, 1.4971702755905512],
    "noise": [127.25171915690105, 63.77547636560151],
    "partner": [7.5, 3.848790322580645],
    "mixing box": [16.5703125, 8.281434547244094],
    "shares": [0.49999999726423994, 0.2503600148447154],
    "indices": [18.25, 8.41532258064516],
    "masks": [0.5, 0.24680935515388375],
    "labels": [0.10000000019790604, 0.049845773458362594],
}


def test_a_batch_of_the_full_recipe_is_drawn_as_it_was_stored():
    recipe = [PadCrop(4), HorizontalFlip(), AutoAugment("cifar10"), RandomErasing(0.25)]
    dataset = pairs(
        x=np.zeros((40, 32, 32, 3), "uint8"),
        y=np.arange(40) % 10,
        masks=PatchCutMix(patch_size=4),
        batch_size=16,
        num_classes=10,
        augment=Augment(recipe),
        pixel_mixing=PixelMixing("cutmix_and_mixup", probability=1.0, partners="batch"),
        apply_on="device",
    )
    inputs, labels = dataset.on_device().batch(epoch=1, index=1)
    crop, flip, operations, erased = inputs["draws"]["augment"].values()
    mixing = inputs["draws"]["mixing"]
    arrays = {**inputs, **inputs["draws"], **crop, **flip, **operations, **mixing}
    arrays |= {"erased box": erased["box"], "noise": erased["noise"]}
    arrays |= {"mixing box": mixing["box"], "labels": labels}
    for name, stored in STORED.items():
        values = arrays[name].ravel().astype("float64")
        weights = np.linspace(0, 1, values.size)
        found = [values.mean(), (values * weights).mean()]
        assert found == pytest.approx(stored, rel=1e-6), name
