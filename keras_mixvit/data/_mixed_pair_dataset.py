import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require
from keras_mixvit.augmentation import Augment
from keras_mixvit.data._dataset_checks import (
    require_fitting,
    require_numbers,
    require_patches,
)
from keras_mixvit.data._device_images import keeps_on_device
from keras_mixvit.data._epoch_batches import EpochBatches
from keras_mixvit.data._image_pipeline import ImagePipeline
from keras_mixvit.data._manifold_mixing import ManifoldMixing
from keras_mixvit.data._pixel_mixing import PixelMixing
from keras_mixvit.data._sample_weights import (
    require_weights,
    with_weights,
    without_weights,
)
from keras_mixvit.data._samples import joined, samples_of
from keras_mixvit.data._tf_batches import tf_batches
from keras_mixvit.data.sources._array_checks import require_images, require_labels
from keras_mixvit.data.sources._image_source import ImageSource
from keras_mixvit.masks._mask_sampler import MaskSampler

# A random stream of its own, separate from that of the order of an epoch.
BATCH = 2


class MixedPairDataset(EpochBatches):
    """Pairs images at random and draws their masks, for `model.fit`.

    Every batch holds B / b different images, each b times. Input 0 of its B
    pairs is a permutation of them, and every further input is an independent
    permutation. So each image serves each subnetwork b times; an image may be
    paired with itself. All draws are a pure function of (seed, epoch, batch), in
    NumPy: every backend, every number of devices and a resumed run see the same
    batches.

    It is a `keras.utils.PyDataset` of `({"images": (B, M, H, W, C), "masks":
    (B, M, h, w)}, labels)`, labels `(B, M)` or `(B, M, K)`; with
    `manifold_mixing` also `"partners"` and `"shares"`, with
    `apply_on="device"` also `"draws"`. With `sample_weight`, weights `(B, M)`
    follow the labels. Indexing gives the batches of the epoch `epoch`, counted
    from 0. `MIMOModel.fit` sets it; in a loop of your own, set it before each
    epoch. `mixed_pair_dataset` is the same class.

    Args:
        x: Array of images `(n, H, W, C)`, floating point or unsigned integer,
            or an `ImageSource`, such as a folder of files.
        y: Array of labels, integers `(n,)` or `(n, 1)`, or soft labels
            `(n, K)` whose rows sum to 1.
        masks: Sampler of masks, such as `model.mask_sampler()` or
            `PatchCutMix(patch_size=4)`; it also sets the number M of images
            in a pair.
        epochs: Integer, the number E of epochs of the training, on which the
            schedule of the masks depends.
        batch_size: Integer, the number B of pairs per step. Defaults to `128`.
        seed: Non-negative integer seed of all random draws. Defaults to `0`.
        shuffle: Boolean, whether batches are made of images in random order.
            Defaults to `True`.
        drop_remainder: Boolean, whether to leave out, in each epoch, the images
            that do not fill a batch. Defaults to `True`.
        repetitions: Integer b that divides `batch_size`: how often an image
            occurs in its batch. An epoch has b times as many steps. Defaults to
            `1`.
        input_repetition: Float in [0, 1], the share rho of pairs that hold one
            image M times. Defaults to `0.0`.
        input_order: `"random"` or `"by_ratio"` (the largest mean mask first)
            puts images, masks and labels of each pair in that order, for a
            network with one stem; `None` leaves them as drawn. Defaults to
            `None`.
        num_classes: Integer K, to make soft labels of integers, which pixel
            and manifold mixing need, or `None`. Defaults to `None`.
        augment: `Augment` of uint8 images, drawn again for each occurrence of an image
            in a batch, or `None` for none. Defaults to `None`.
        pixel_mixing: `PixelMixing`, or `None` for none. Defaults to `None`.
        manifold_mixing: `ManifoldMixing`, for `ManifoldMixUp` models, or
            `None` for none. Defaults to `None`.
        apply_on: `"pipeline"` to augment and mix pixels here, in NumPy, or
            `"device"` to do so in the compiled step of a `MIMOModel`, which
            gives the same images up to rounding. The data set then serves the
            images as read, with the draws as a further input `"draws"`. Masks
            are the same in both, because the network applies them. Defaults to
            `"pipeline"`.
        keep_on_device: Boolean, whether `fit` keeps all images in the memory
            of the device, so that a batch is a few small arrays. The batches
            are the same. It needs `apply_on="device"`, one device, and an
            array of uint8 or floats. `None` keeps such an array if it has at
            most 2 GiB. Defaults to `None`.
        sample_weight: Array `(n,)` of finite numbers that are not negative, by
            which the loss of each image is multiplied, or `None` for 1. Where
            pixels or features are mixed, weights are mixed as labels are.
            Defaults to `None`.
        shard_groups: Integer G. Group g holds the shards g, g + G, g + 2 G, ..., and
            makes the g-th of G equal parts of every batch: its images are paired
            and mixed only with each other. So several processes, whose number
            divides G, read different shards. Defaults to `1`.
        workers: Integer, threads that prepare the next batches while a step
            runs; `0` prepares each batch on request. The batches are the same.
            `None` is 1, or 0 where an augmentation, such as `KerasLayer`, cannot
            run in a thread. Defaults to `None`.

    Raises:
        ValueError: If arrays are empty, of unequal length, of a wrong rank or
            dtype, not finite or out of range, if the patches of `masks` do
            not tile the images, if `batch_size` exceeds the data, or if
            another argument is out of its range.

    Example:

    ```python
    x, y = np.zeros((256, 32, 32, 3), "uint8"), np.arange(256) % 10
    pairs = mixed_pair_dataset(x, y, PatchCutMix(patch_size=4), epochs=10)
    inputs, labels = pairs[0]
    assert inputs["images"].shape == (128, 2, 32, 32, 3)
    assert inputs["masks"].shape == (128, 2, 8, 8) and labels.shape == (128, 2)
    ```

    References:
        MixViT, Section 2.1; MixMo, Algorithm 1, Section 3.5 and Table 3;
        MIMO (Havasi et al., 2021), Sections 3.2 and 4 (rho and b).
    """

    def __init__(
        self,
        x: npt.ArrayLike | ImageSource,
        y: npt.ArrayLike,
        masks: MaskSampler,
        *,
        epochs: int,
        batch_size: int = 128,
        seed: int = 0,
        shuffle: bool = True,
        drop_remainder: bool = True,
        repetitions: int = 1,
        input_repetition: float = 0.0,
        input_order: str | None = None,
        num_classes: int | None = None,
        augment: Augment | None = None,
        pixel_mixing: PixelMixing | None = None,
        manifold_mixing: ManifoldMixing | None = None,
        apply_on: str = "pipeline",
        keep_on_device: bool | None = None,
        sample_weight: npt.ArrayLike | None = None,
        shard_groups: int = 1,
        workers: int | None = None,
    ):
        x = x if isinstance(x, ImageSource) else require_images("x", x)
        require_numbers(
            num_classes=num_classes,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            repetitions=repetitions,
            input_repetition=input_repetition,
            input_order=input_order,
        )
        y = require_labels("y", y, num_classes)
        self.keeps_on_device = keeps_on_device(x, apply_on, keep_on_device)
        require_fitting(
            x,
            y,
            masks,
            num_classes=num_classes,
            batch_size=batch_size,
            repetitions=repetitions,
            drop_remainder=drop_remainder,
            augment=augment,
            pixel_mixing=pixel_mixing,
            manifold_mixing=manifold_mixing,
            apply_on=apply_on,
            keeps_on_device=self.keeps_on_device,
        )
        in_threads = augment is None or augment.runs_in_threads
        super().__init__(
            len(x),
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            shuffle=shuffle,
            drop_remainder=drop_remainder,
            repetitions=repetitions,
            workers=int(in_threads) if workers is None else workers,
            shards=x.shards if isinstance(x, ImageSource) else None,
            shard_groups=shard_groups,
        )
        require(
            in_threads or not self.reading_workers,
            "`workers` must be 0 or None with an augmentation that cannot run in a "
            "thread, such as KerasLayer.",
            workers=workers,
        )
        self.x, self.y = x, y
        self.masks = masks
        self.input_repetition = input_repetition
        self.input_order = input_order
        self.num_classes = num_classes
        self.augment = augment
        self.pixel_mixing = pixel_mixing
        self.manifold_mixing = manifold_mixing
        self.apply_on = apply_on
        self.keep_on_device = keep_on_device
        if num_classes is not None and y.ndim == 1:
            self.y = np.eye(num_classes, dtype="float32")[y]
        self.sample_weight = sample_weight
        labels = self.y
        if sample_weight is not None:
            self.sample_weight = require_weights(sample_weight, len(y))
            labels = with_weights(labels, self.sample_weight)
        self.pipeline = ImagePipeline(x, labels, augment, pixel_mixing)
        require_patches(masks, self.image_shape[:2])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape (H, W, C) of one image, as the network sees it."""
        return self.pipeline.image_shape

    @property
    def masks_shape(self) -> tuple[int, int, int]:
        """Shape (M, h, w) of the masks of one pair."""
        grid = self.masks.grid_shape(self.image_shape[:2])
        return (self.masks.num_subnetworks, *grid)

    @property
    def augments_on_device(self) -> bool:
        """Whether a step must augment images or mix them in pixels."""
        return self.apply_on == "device" and not self.pipeline.is_empty

    def on_device(self) -> "MixedPairDataset":
        """Gives the same data set for images that stay on the device.

        `fit` calls it if `keeps_on_device` is true.

        Returns:
            A data set of its own `epoch`, whose batches hold `"indices"`
            `(B, M)` in place of `"images"`.
        """
        other = copy.copy(self)
        other.pipeline = self.pipeline.on_device()
        return other

    def batch(self, epoch: int, index: int) -> tuple:
        """Batch `index` of an epoch counted from 0; `self.epoch` does not matter."""
        chosen = self._images_of(epoch, index)
        key = (self.seed, BATCH, epoch, index)
        found = []
        for group, start, size, rows in self._group_rows(len(chosen)):
            rng = np.random.default_rng((*key, group) if self.groups else key)
            own = chosen[start : start + size]
            images = self.groups[group] if self.groups else None
            found.append(samples_of(self, rng, own, epoch, start, rows, images))
        inputs, labels = joined(found)
        if self.sample_weight is None:
            return inputs, labels
        return inputs, *without_weights(labels, is_soft=self.y.ndim == 2)

    def as_tf_dataset(self) -> Any:
        """The same batches as a `tf.data.Dataset`, for `tf.distribute`.

        Each iteration gives the batches of one epoch, `self.epoch`, which
        `MIMOModel.fit` sets. If you do not set it, each complete iteration moves
        on to the next epoch. Needs TensorFlow.

        Returns:
            A `tf.data.Dataset` of one epoch per iteration.

        Raises:
            ValueError: If `keep_on_device` is `True`.
        """
        require(
            not self.keep_on_device,
            "`keep_on_device` must be False or None with `as_tf_dataset()`, which "
            "sends images with their batches.",
            keep_on_device=self.keep_on_device,
        )
        return tf_batches(self)


# Its short name.
mixed_pair_dataset = MixedPairDataset
