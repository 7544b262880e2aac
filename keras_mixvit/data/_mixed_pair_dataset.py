import copy

import numpy as np

from keras_mixvit._checks import is_integer, require, require_positive_integer
from keras_mixvit.augmentation import Augment
from keras_mixvit.data._array_checks import require_images, require_labels
from keras_mixvit.data._batch_reader import BatchReader
from keras_mixvit.data._dataset_checks import require_fitting, require_numbers
from keras_mixvit.data._device_images import keeps_on_device
from keras_mixvit.data._image_pipeline import ImagePipeline
from keras_mixvit.data._manifold_mixing import ManifoldMixing
from keras_mixvit.data._pairing import ordered, paired
from keras_mixvit.data._pixel_mixing import PixelMixing
from keras_mixvit.data._sample_weights import (
    require_weights,
    with_weights,
    without_weights,
)
from keras_mixvit.data._tf_batches import tf_batches
from keras_mixvit.data.sources._image_source import ImageSource
from keras_mixvit.masks._mask_sampler import MaskSampler, require_masks

# Streams of chance: without a purpose in the key, the order of an epoch and
# its first batch would come from one and the same generator.
EPOCH_ORDER, BATCH = 1, 2


def mixed_pair_dataset(
    x,
    y,
    masks: MaskSampler,
    *,
    epochs: int,
    batch_size: int = 128,
    seed: int = 0,
    shuffle: bool = True,
    drop_remainder: bool = True,
    repetitions: int = 1,
    input_repetition: float = 0.0,
    member_order: str | None = None,
    num_classes: int | None = None,
    augment: Augment | None = None,
    pixel_mixing: PixelMixing | None = None,
    manifold_mixing: ManifoldMixing | None = None,
    apply_on: str = "pipeline",
    keep_on_device: bool | None = None,
    sample_weight=None,
    workers: int | None = None,
) -> "MixedPairDataset":
    """Pairs images at random and draws their masks, for `model.fit`.

    Every batch holds B / b different images, each b times. Member 0 of its B
    pairs is a permutation of them and every further member an independent
    permutation, so that each image serves each subnetwork b times; an image
    may meet itself. Everything is drawn in NumPy by a pure function of (seed,
    epoch, batch): every backend, every number of devices and a resumed run see
    the same batches.

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
        seed: Non-negative integer seed of all chance. Defaults to `0`.
        shuffle: Boolean, whether batches are made of images in random order.
            Defaults to `True`.
        drop_remainder: Boolean, whether images that do not fill a batch sit
            an epoch out. Defaults to `True`.
        repetitions: Integer b that divides `batch_size`: how often an image
            stands in its batch. An epoch has b times as many steps. Defaults
            to `1`.
        input_repetition: Float in [0, 1], the share rho of pairs that hold one
            image M times. Defaults to `0.0`.
        member_order: `"random"` or `"by_ratio"` (the largest mean mask first)
            puts images, masks and labels of each pair in that order, for a
            network with one stem; `None` leaves them as drawn. Defaults to
            `None`.
        num_classes: Integer K, to make soft labels of integers, which pixel
            and manifold mixing need, or `None`. Defaults to `None`.
        augment: `Augment` of uint8 images, drawn anew for each time that an
            image stands in a batch, or `None` for none. Defaults to `None`.
        pixel_mixing: `PixelMixing`, or `None` for none. Defaults to `None`.
        manifold_mixing: `ManifoldMixing`, for `ManifoldMixUp` models, or
            `None` for none. Defaults to `None`.
        apply_on: `"pipeline"` to augment and mix pixels here, in NumPy, or
            `"device"` to do so in the compiled step of a `MIMOModel`, which
            gives the same images up to rounding: they are then served as they
            are read, with what was drawn as a further input `"draws"`. Masks,
            which the network applies itself, are the same in both. Defaults to
            `"pipeline"`.
        keep_on_device: Boolean, whether `fit` keeps all images in the memory
            of the device, so that a batch is a few small arrays. The batches
            are the same. It needs `apply_on="device"`, one device, and an
            array of uint8 or floats. `None` keeps such an array if it has at
            most 2 GiB. Defaults to `None`.
        sample_weight: Array `(n,)` of finite numbers that are not negative,
            how much the loss of each image counts beside its mask, or `None`
            for 1. Where pixels or features are mixed, weights are mixed as
            labels are. Defaults to `None`.
        workers: Integer, threads that prepare the next batches while a step
            runs; `0` prepares each batch when it is asked for. The batches are
            the same. `None` is 1, or 0 where an augmentation, such as
            `KerasLayer`, cannot run in a thread. Defaults to `None`.

    Returns:
        A `keras.utils.PyDataset` of `({"images": (B, M, H, W, C), "masks":
        (B, M, h, w)}, labels)`, labels `(B, M)` or `(B, M, K)`; with
        `manifold_mixing` also `"partners"` and `"shares"`, with
        `apply_on="device"` also `"draws"`. With `sample_weight`, weights
        `(B, M)` follow the labels.

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
    return MixedPairDataset(
        x,
        y,
        masks,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        shuffle=shuffle,
        drop_remainder=drop_remainder,
        repetitions=repetitions,
        input_repetition=input_repetition,
        member_order=member_order,
        num_classes=num_classes,
        augment=augment,
        pixel_mixing=pixel_mixing,
        manifold_mixing=manifold_mixing,
        apply_on=apply_on,
        keep_on_device=keep_on_device,
        sample_weight=sample_weight,
        workers=workers,
    )


class MixedPairDataset(BatchReader):
    """The data set that `mixed_pair_dataset` makes; see there.

    `epoch`, counted from 0, is the epoch whose batches indexing gives.
    `MIMOModel.fit` sets it; elsewhere, set it before each epoch.
    """

    def __init__(
        self,
        x,
        y,
        masks,
        *,
        epochs,
        batch_size,
        seed,
        shuffle,
        drop_remainder,
        repetitions,
        input_repetition,
        member_order,
        num_classes,
        augment,
        pixel_mixing,
        manifold_mixing,
        apply_on,
        keep_on_device,
        sample_weight,
        workers,
    ):
        threaded = not isinstance(augment, Augment) or augment.runs_in_threads
        super().__init__(int(threaded) if workers is None else workers)
        require(
            threaded or not self.reading_workers,
            "`workers` must be 0 or None with an augmentation that cannot run in a "
            "thread, such as KerasLayer.",
            workers=workers,
        )
        self.x = x if isinstance(x, ImageSource) else require_images("x", x)
        require_numbers(
            num_classes=num_classes,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            repetitions=repetitions,
            input_repetition=input_repetition,
            member_order=member_order,
        )
        self.y = require_labels("y", y, num_classes)
        self.keeps_on_device = keeps_on_device(self.x, apply_on, keep_on_device)
        require_fitting(
            self.x,
            self.y,
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
        self.masks = masks
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.drop_remainder = drop_remainder
        self.repetitions = repetitions
        self.input_repetition = input_repetition
        self.member_order = member_order
        self.num_classes = num_classes
        self.augment = augment
        self.pixel_mixing = pixel_mixing
        self.manifold_mixing = manifold_mixing
        self.apply_on = apply_on
        self.keep_on_device = keep_on_device
        if num_classes is not None and self.y.ndim == 1:
            self.y = np.eye(num_classes, dtype="float32")[self.y]
        self.sample_weight = sample_weight
        labels = self.y
        if sample_weight is not None:
            self.sample_weight = require_weights(sample_weight, len(self.y))
            labels = with_weights(labels, self.sample_weight)
        self.pipeline = ImagePipeline(self.x, labels, augment, pixel_mixing)
        height, width, _ = self.image_shape
        require(
            height % masks.patch_size == 0 and width % masks.patch_size == 0,
            "`masks.patch_size` must divide the image size.",
            patch_size=masks.patch_size,
            image_size=(height, width),
        )
        self.epoch_changes = 0
        self.epoch = 0
        self.part = None
        self.max_steps = None
        self._order = (None, None)

    @property
    def epoch(self) -> int:
        """The epoch, counted from 0, whose batches indexing gives."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int):
        self._epoch = epoch
        self.epoch_changes += 1

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

    @property
    def images_per_batch(self) -> int:
        """Different images in a full batch, B / b."""
        return self.batch_size // self.repetitions

    @property
    def last_batch_size(self) -> int:
        """Pairs in the last batch of an epoch."""
        rest = len(self.x) % self.images_per_batch
        if len(self) * self.images_per_batch <= len(self.x):
            return self.batch_size
        return rest * self.repetitions

    def shard(self, index: int, count: int) -> "MixedPairDataset":
        """The part of every batch that one of several processes reads.

        Batches are the same in every process and for every `count`; only what
        belongs to the part is read and augmented. `fit` calls this by itself
        where a model is trained by several processes.

        Args:
            index: Integer, which part, counted from 0.
            count: Integer, the number of parts, which divides every batch.

        Returns:
            A data set of its own `epoch`; `batch_size` stays that of the
            whole batch, and `part` is `(index, count)`.

        Raises:
            ValueError: If `count` does not divide the batches, or there is no
                such part.
        """
        require_positive_integer("count", count)
        require(
            is_integer(index) and 0 <= index < count,
            f"`index` must be in 0 to {count - 1}.",
            index=index,
        )
        require(
            self.batch_size % count == 0 and self.last_batch_size % count == 0,
            "`count` must divide `batch_size` and the last batch, which "
            "`drop_remainder=True` leaves out.",
            count=count,
            batch_size=self.batch_size,
            last_batch=self.last_batch_size,
        )
        require(
            self.part is None,
            "`shard` must be called on a whole data set.",
            part=self.part,
        )
        part = copy.copy(self)
        part.part = (index, count)
        return part

    def first_batches(self, steps_per_epoch: int) -> "MixedPairDataset":
        """The same data set with shorter epochs.

        Args:
            steps_per_epoch: Positive integer, how many of the batches of each
                epoch to keep.

        Returns:
            A data set of its own `epoch`.

        Raises:
            ValueError: If an epoch has fewer batches.
        """
        require(
            is_integer(steps_per_epoch) and 1 <= steps_per_epoch <= len(self),
            f"`steps_per_epoch` must be in 1 to {len(self)}, the batches of an epoch.",
            steps_per_epoch=steps_per_epoch,
        )
        shorter = copy.copy(self)
        shorter.max_steps = steps_per_epoch
        return shorter

    def on_device(self) -> "MixedPairDataset":
        """The same data set for images that stay on the device.

        `fit` calls this by itself where `keeps_on_device` is true.

        Returns:
            A data set of its own `epoch`, whose batches hold `"indices"`
            `(B, M)` in place of `"images"`.
        """
        other = copy.copy(self)
        other.pipeline = self.pipeline.on_device()
        return other

    def __len__(self):
        full, rest = divmod(len(self.x), self.images_per_batch)
        steps = full if self.drop_remainder or not rest else full + 1
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def _context(self):
        return (self.epoch,)

    def _read(self, epoch, index):
        return self.batch(epoch, index)

    def batch(self, epoch: int, index: int):
        """Batch `index` of an epoch counted from 0, whatever `self.epoch`."""
        require(
            0 <= epoch < self.epochs,
            f"`epoch` must be in 0 to {self.epochs - 1}.",
            epoch=epoch,
        )
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be in 0 to {len(self) - 1}. Got {index}.")
        start = index * self.images_per_batch
        order = self._epoch_order(epoch)[start : start + self.images_per_batch]
        rng = np.random.default_rng((self.seed, BATCH, epoch, index))
        chosen, members = np.repeat(order, self.repetitions), self.masks_shape[0]
        pairs = paired(rng, chosen, members, self.input_repetition)
        progress = (epoch + 1) / self.epochs
        masks = self.masks.draw(rng, len(pairs), self.image_shape[:2], progress)
        masks = np.asarray(masks).astype("float32", copy=False)
        require_masks(masks, (len(pairs), *self.masks_shape))
        pairs, masks = ordered(rng, self.member_order, pairs, masks)
        rows = self._rows(len(pairs))
        images, labels, draws = self.pipeline.batch(rng, pairs, masks, rows)
        key = "images" if self.pipeline.device_images is None else "indices"
        inputs = {key: images, "masks": masks}
        if self.augments_on_device:
            inputs["draws"] = draws
        elif key == "images":
            inputs["images"] = self.pipeline.apply(images, draws)
        if self.manifold_mixing is not None:
            partners, shares = self.manifold_mixing.draw(rng, len(pairs))
            inputs |= {"partners": partners, "shares": shares}
            # All shares but one are 1.
            share = shares.prod(axis=1)[:, None, None]
            labels = share * labels + (1 - share) * labels[partners]
        if rows is not None:
            ready = (key, "draws")
            inputs = {k: v if k in ready else v[rows] for k, v in inputs.items()}
            labels = labels[rows]
        if self.sample_weight is None:
            return inputs, labels
        return inputs, *without_weights(labels, is_soft=self.y.ndim == 2)

    def _rows(self, count):
        """The slice of a batch that this part is, or `None` for all of it."""
        if self.part is None:
            return None
        index, parts = self.part
        return slice(index * count // parts, (index + 1) * count // parts)

    def as_tf_dataset(self):
        """The same batches as a `tf.data.Dataset`, for `tf.distribute`.

        Each iteration gives the batches of one epoch, `self.epoch`, which
        `MIMOModel.fit` sets. Where nobody sets it, an iteration after a
        complete one is the next epoch. Needs TensorFlow.

        Returns:
            A `tf.data.Dataset` of one epoch per iteration.

        Raises:
            ValueError: If images were asked to stay on the device.
        """
        require(
            not self.keep_on_device,
            "`keep_on_device` must be False or None with `as_tf_dataset()`, which "
            "sends images with their batches.",
            keep_on_device=self.keep_on_device,
        )
        return tf_batches(self)

    def _epoch_order(self, epoch):
        cached, order = self._order
        if cached != epoch:
            order = np.arange(len(self.x))
            if self.shuffle:
                rng = np.random.default_rng((self.seed, EPOCH_ORDER, epoch))
                rng.shuffle(order)
            self._order = (epoch, order)
        return order
