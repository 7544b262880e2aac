import abc
import copy
from typing import Self

import numpy as np

from keras_mixvit._checks import is_integer, require, require_positive_integer
from keras_mixvit.data._dataset_checks import require_shard_groups
from keras_mixvit.data._shard_order import (
    grouped_order,
    images_of_groups,
    shard_order,
)
from keras_mixvit.data.sources._batch_reader import BatchReader

# A stream of chance of its own: without a purpose in the key, the order of an
# epoch and its first batch would come from one and the same generator.
EPOCH_ORDER = 1


class EpochBatches(BatchReader):
    """Decides which images are in which batch of an epoch, or of a part of it.

    Args:
        num_images: Integer, the number n of images.
        epochs: Integer, the number of epochs.
        batch_size: Integer, the number B of pairs per step.
        seed: Integer seed of the order of images.
        shuffle: Boolean, whether batches are made of images in random order.
        drop_remainder: Boolean, whether to leave out, in each epoch, the images
            that do not fill a batch.
        repetitions: Integer, how often an image occurs in its batch.
        workers: Integer, threads that prepare the next batches.
        shards: Integer array, the first image of each shard, whose order is then
            mixed shard by shard, or `None`. Defaults to `None`.
        shard_groups: Integer G, the number of groups of shards. Each has its own
            images and samples in every batch. Defaults to `1`.
    """

    def __init__(
        self,
        num_images: int,
        *,
        epochs: int,
        batch_size: int,
        seed: int,
        shuffle: bool,
        drop_remainder: bool,
        repetitions: int,
        workers: int,
        shards: np.ndarray | None = None,
        shard_groups: int = 1,
    ):
        super().__init__(workers)
        require_shard_groups(
            shard_groups,
            shards,
            num_images=num_images,
            shuffle=shuffle,
            drop_remainder=drop_remainder,
            batch_size=batch_size,
            repetitions=repetitions,
        )
        self.shards = shards
        self.shard_groups = shard_groups
        self.groups: list[np.ndarray] = []
        if shards is not None and shard_groups > 1:
            self.groups = images_of_groups(shards, num_images, shard_groups)
            num_images = shard_groups * min(map(len, self.groups))
        self.num_images = num_images
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.drop_remainder = drop_remainder
        self.repetitions = repetitions
        self.epoch_changes = 0
        self.epoch = 0
        self.part: tuple[int, int] | None = None
        self.max_steps: int | None = None
        self._order: tuple[int | None, np.ndarray | None] = (None, None)

    @abc.abstractmethod
    def batch(self, epoch: int, index: int) -> tuple:
        """Batch `index` of an epoch counted from 0; `self.epoch` does not matter."""

    @property
    def epoch(self) -> int:
        """The epoch, counted from 0, whose batches indexing gives."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int):
        self._epoch = epoch
        self.epoch_changes += 1

    @property
    def images_per_batch(self) -> int:
        """Different images in a full batch, B / b."""
        return self.batch_size // self.repetitions

    @property
    def last_batch_size(self) -> int:
        """Pairs in the last batch of an epoch."""
        rest = self.num_images % self.images_per_batch
        if len(self) * self.images_per_batch <= self.num_images:
            return self.batch_size
        return rest * self.repetitions

    def shard(self, index: int, count: int) -> Self:
        """Gives the part of every batch that one of several processes reads.

        Batches are the same in every process and for every `count`; only what
        belongs to the part is read and augmented. `fit` calls it when several
        processes train a model.

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

    def first_batches(self, steps_per_epoch: int) -> Self:
        """Gives the same data set with shorter epochs.

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

    def __len__(self):
        full, rest = divmod(self.num_images, self.images_per_batch)
        steps = full if self.drop_remainder or not rest else full + 1
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def _context(self):
        return (self.epoch,)

    def _read(self, epoch, index):
        return self.batch(epoch, index)

    def _images_of(self, epoch: int, index: int) -> np.ndarray:
        """Indices `(B,)` of the images of a batch, each as often as it repeats.

        With groups of shards, they come group by group.
        """
        require(
            0 <= epoch < self.epochs,
            f"`epoch` must be in 0 to {self.epochs - 1}.",
            epoch=epoch,
        )
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be in 0 to {len(self) - 1}. Got {index}.")
        # G is 1, or divides every batch.
        size = self.images_per_batch // self.shard_groups
        order = self._epoch_order(epoch).reshape(self.shard_groups, -1)
        chosen = order[:, index * size : (index + 1) * size]
        return np.repeat(chosen.ravel(), self.repetitions)

    def _rows(self, count):
        """The slice of a batch that this part is, or `None` for all of it."""
        if self.part is None:
            return None
        index, parts = self.part
        return slice(index * count // parts, (index + 1) * count // parts)

    def _group_rows(self, count):
        """The groups of shards that have samples in this part of a batch.

        Yields:
            The number of the group; the first of its rows in the batch, and how many
            there are; and the slice of these in the part, or `None` for all of them.
        """
        size, part = count // self.shard_groups, self._rows(count)
        for group in range(self.shard_groups):
            start, rows = group * size, None
            if part is not None:
                rows = slice(max(part.start - start, 0), min(part.stop - start, size))
                if rows.start >= rows.stop:
                    continue
            yield group, start, size, rows

    def _epoch_order(self, epoch):
        cached, order = self._order
        if cached != epoch:
            order = np.arange(self.num_images)
            if self.shuffle:
                rng = np.random.default_rng((self.seed, EPOCH_ORDER, epoch))
                if self.shards is None:
                    rng.shuffle(order)
                elif self.groups:
                    order = grouped_order(rng, self.shards, self.groups)
                else:
                    order = shard_order(rng, self.shards, self.num_images)
            self._order = (epoch, order)
        return order
