"""Steps that augment the images of their batch themselves."""

import re

import keras
import numpy as np
import pytest

from keras_mixvit import ConViT, MixViT, mixed_pair_dataset
from keras_mixvit.augmentation import Augment, HorizontalFlip, PadCrop, RandomErasing
from keras_mixvit.data import PixelMixing
from tests.augmentation.pictures import pictures

AUGMENT = Augment([PadCrop(1), HorizontalFlip(), RandomErasing(0.5)])


def model():
    keras.utils.set_random_seed(0)
    backbone = ConViT((8, 8, 3), 4, 8, 2, 1, 1, mean=127.5, std=64.0)
    mixvit = MixViT(backbone, num_classes=3)
    mixvit.compile(
        keras.optimizers.SGD(0.1), keras.losses.CategoricalCrossentropy(True)
    )
    return mixvit


def pairs(mixvit, apply_on, augment=AUGMENT):
    return mixed_pair_dataset(
        pictures(16, side=8),
        np.arange(16) % 3,
        mixvit.mask_sampler(),
        epochs=2,
        batch_size=8,
        num_classes=3,
        augment=augment,
        pixel_mixing=PixelMixing("cutmix_and_mixup", 1.0, partners="batch"),
        apply_on=apply_on,
    )


def test_training_is_the_same_on_the_device_and_in_the_pipeline():
    losses, weights = {}, model().get_weights()
    for apply_on in ("pipeline", "device"):
        mixvit = model()
        mixvit.set_weights(weights)
        data = pairs(mixvit, apply_on)
        history = mixvit.fit(data, verbose=0).history["loss"]
        losses[apply_on] = [*history, mixvit.evaluate(data, verbose=0)]
    np.testing.assert_allclose(losses["device"], losses["pipeline"], rtol=1e-5)


def test_another_augmentation_is_not_lost_in_a_compiled_step():
    mixvit = model()
    first = pairs(mixvit, "device")
    erased = Augment([PadCrop(1), HorizontalFlip(), RandomErasing(1.0, mean=-9e3)])
    second = pairs(mixvit, "device", erased)
    before = mixvit.evaluate(first, verbose=0)
    assert abs(mixvit.evaluate(second, verbose=0) - before) > 1e-4
    assert mixvit.evaluate(first, verbose=0) == pytest.approx(before, rel=1e-6)


def test_validation_on_pairs_leaves_training_its_augmentation():
    mixvit = model()
    weights, data = mixvit.get_weights(), pairs(mixvit, "device")
    alone = mixvit.fit(data, verbose=0).history["loss"]
    other = Augment([PadCrop(1), HorizontalFlip()])
    for validation in (pairs(mixvit, "pipeline"), pairs(mixvit, "device", other)):
        again = model()
        again.set_weights(weights)
        history = again.fit(data, validation_data=validation, verbose=0).history
        np.testing.assert_allclose(history["loss"], alone, rtol=1e-5)
        validation.epoch = 0
        found = again.evaluate(validation, verbose=0)
        assert found == pytest.approx(history["val_loss"][-1], rel=1e-5)


def test_draws_that_nobody_explained_are_refused():
    mixvit = model()
    inputs, labels = pairs(mixvit, "device")[0]
    message = "`x` must have no `draws`, unless you call `model.augment_as"
    with pytest.raises(ValueError, match=re.escape(message)):
        mixvit(inputs)
    mixvit.augment_as(pairs(mixvit, "device"))
    assert np.isfinite(mixvit.test_on_batch(inputs, labels))
