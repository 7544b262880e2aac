"""One dispatch may run many steps, on images that stay on the device."""

import re

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, mixed_pair_dataset
from keras_mixvit.augmentation import (
    Augment,
    HorizontalFlip,
)
from keras_mixvit.data import _device_images as device_images
from keras_mixvit.distribution import data_parallel
from keras_mixvit.masks import PatchCutMix
from tests.helpers import LOSS, set_weights, tiny_convit
from tests.models.many_steps import (
    BACKEND,
    CLASSES,
    SOFT,
    WithNone,
    pairs_of,
    pixels,
    single,
)


class Losses(keras.callbacks.Callback):
    """What callbacks see: the last step of each call and its mean loss."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((batch, float(logs["loss"])))


def trained(steps_per_execution=1, optimizer=None, partners="batch", **options):
    """A model after three epochs, the losses in between and the history."""
    keras.utils.set_random_seed(3)
    model = MixViT(
        tiny_convit(stochastic_depth_rate=0.2, num_blocks=1, num_class_blocks=1),
        CLASSES,
    )
    set_weights(model)
    model.compile(
        optimizer or keras.optimizers.AdamW(1e-2, weight_decay=0.05),
        SOFT,
        weighted_metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
    pairs = pairs_of(model, partners, **options)
    losses = Losses()
    history = model.fit(pairs, callbacks=[losses], verbose=0)
    return model, losses.seen, history.history


def test_images_on_the_device_are_the_same():
    for partners in ("batch", "dataset"):
        sent = trained(partners=partners, keep_on_device=False)
        kept = trained(partners=partners, keep_on_device=True)
        np.testing.assert_allclose(kept[1], sent[1], rtol=1e-6)


def test_only_indices_are_served():
    model = MixViT(tiny_convit(), CLASSES)
    pairs = pairs_of(model, keep_on_device=True).on_device()
    inputs, labels = pairs[1]
    assert sorted(inputs) == ["draws", "indices", "masks"]
    np.testing.assert_array_equal(
        pixels()[inputs["indices"]], pairs_of(model)[1][0]["images"]
    )
    assert all(a.nbytes < 4000 for a in keras.tree.flatten((inputs, labels)))


@pytest.mark.skipif(BACKEND == "torch", reason="Keras runs one step on PyTorch")
@pytest.mark.parametrize("drop_remainder", [True, False])
def test_many_steps_are_the_same_steps(drop_remainder):
    # 6 or 7 steps an epoch: calls of 4 and of the 2 or 3 that are left, the last
    # of which may have a smaller batch.
    options = {"drop_remainder": drop_remainder}
    one, each, history = trained(1, **options)
    many, some, same = trained(4, **options)
    last = len(each) // 3 - 1
    assert [step for step, _ in some[:2]] == [3, 7]
    np.testing.assert_allclose(some[0][1], each[3][1], rtol=1e-5)
    np.testing.assert_allclose(some[1][1], each[last][1], rtol=1e-5)
    for name, values in history.items():
        np.testing.assert_allclose(same[name], values, rtol=2e-5, err_msg=name)
    for left, right in zip(one.variables, many.variables, strict=True):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(left),
            keras.ops.convert_to_numpy(right),
            atol=1e-4,
            err_msg=left.path,
        )


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (
            pixels(),
            {"apply_on": "pipeline", "keep_on_device": True},
            '`keep_on_device` must be False or None with `apply_on="pipeline"`.',
        ),
        (
            pixels().astype("uint16"),
            {"apply_on": "device", "keep_on_device": True},
            "`keep_on_device` must be False or None unless `x` is an array of uint8 or "
            "floats. Received: x='ndarray of uint16'",
        ),
        (
            pixels(),
            {"apply_on": "device", "keep_on_device": 1.5},
            "`keep_on_device` must be True, False or None. Received: ",
        ),
    ],
)
def test_images_that_cannot_stay_are_refused(x, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        mixed_pair_dataset(x, np.arange(26), PatchCutMix(4), epochs=1, **options)


def test_large_arrays_stay_only_if_asked_to(monkeypatch):
    def keeps(**options):
        x, masks = pixels(), PatchCutMix(4)
        options = {"epochs": 1, "batch_size": 4, **options}
        return mixed_pair_dataset(x, np.arange(26), masks, **options).keeps_on_device

    assert keeps(apply_on="device")
    assert not keeps(apply_on="pipeline")
    monkeypatch.setattr(device_images, "SIZE_LIMIT", pixels().nbytes - 1)
    flips = {"apply_on": "device", "augment": Augment([HorizontalFlip()])}
    assert not keeps(**flips)
    assert keeps(apply_on="device", keep_on_device=True)


def test_images_without_augmentation_stay_too():
    losses = []
    for keep_on_device in (False, True):
        keras.utils.set_random_seed(0)
        model = MixViT(tiny_convit(num_blocks=1, num_class_blocks=1), CLASSES)
        set_weights(model)
        model.compile(keras.optimizers.SGD(0.1), LOSS)
        pairs = mixed_pair_dataset(
            pixels() / np.float64(255),
            np.arange(26) % CLASSES,
            model.mask_sampler(),
            epochs=1,
            batch_size=8,
            apply_on="device" if keep_on_device else "pipeline",
            keep_on_device=keep_on_device,
        )
        losses += model.fit(pairs, verbose=0).history["loss"]
        assert "images" in pairs[0][0]
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


@pytest.mark.skipif(BACKEND != "jax", reason="one device of JAX is enough")
def test_several_devices_are_sent_their_images():
    with data_parallel(1):
        model = MixViT(tiny_convit(), CLASSES)
        model.compile("sgd", SOFT)
        message = "`keep_on_device` must be False or None on several devices."
        with pytest.raises(ValueError, match=re.escape(message)):
            model.fit(pairs_of(model, keep_on_device=True), verbose=0)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras runs one step on PyTorch")
def test_an_epoch_must_be_whole_calls():
    message = "`steps_per_epoch` must be a multiple of `steps_per_execution`: Keras"
    with pytest.raises(ValueError, match=re.escape(message)):
        single(4).fit(WithNone(), steps_per_epoch=3, verbose=0)


@pytest.mark.parametrize("keep_on_device", [False, True])
def test_steps_that_are_not_compiled(keep_on_device):
    model = MixViT(tiny_convit(num_blocks=1, num_class_blocks=1), CLASSES)
    model.compile("sgd", SOFT, run_eagerly=True)
    pairs = pairs_of(model, keep_on_device=keep_on_device).first_batches(1)
    history = model.fit(pairs, verbose=0).history
    assert np.all(np.isfinite(history["loss"]))


def test_memory_is_given_back_and_changed_images_are_seen():
    model = MixViT(tiny_convit(num_blocks=1, num_class_blocks=1), CLASSES)
    set_weights(model)
    model.compile(keras.optimizers.SGD(0.0), SOFT)
    pairs = pairs_of(model).first_batches(2)
    first = model.fit(pairs, verbose=0).history["loss"]
    assert pairs.pipeline._on_device.device_images.value is None
    assert pairs.on_device().on_device().pipeline is pairs.pipeline.on_device()
    assert model.fit(pairs, verbose=0).history["loss"] == pytest.approx(first)
    pairs.x[:] = 255 - pairs.x
    assert model.fit(pairs, verbose=0).history["loss"] != pytest.approx(first)


def test_indices_without_their_images_are_refused():
    model = MixViT(tiny_convit(num_blocks=1, num_class_blocks=1), CLASSES)
    model.compile("sgd", SOFT)
    pairs = pairs_of(model).first_batches(1)
    inputs, labels = pairs.on_device()[0]
    message = "`x` must have `images`, unless you call `model.augment_as"
    with pytest.raises(ValueError, match=re.escape(message)):
        model(inputs)
    model.augment_as(pairs.on_device())
    expected = np.asarray(keras.ops.convert_to_numpy(model(inputs)))
    model.fit(pairs, verbose=0)
    with pytest.raises(ValueError, match=re.escape(message)):
        model(inputs)
    assert expected.shape == (4, 2, CLASSES)
    # Batches with images are augmented as before.
    inputs = pairs[0][0]
    assert np.isfinite(model.test_on_batch(inputs, labels))


def test_a_tf_dataset_keeps_no_images_on_the_device():
    pairs = pairs_of(MixViT(tiny_convit(), CLASSES), keep_on_device=True)
    message = "`keep_on_device` must be False or None with `as_tf_dataset()`"
    with pytest.raises(ValueError, match=re.escape(message)):
        pairs.as_tf_dataset()
