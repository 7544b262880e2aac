"""How the images of a batch are read, augmented and mixed in pixels."""

import copy
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mixvit.augmentation import Augment, RandomResizedCrop
from keras_mixvit.data._device_images import DeviceImages
from keras_mixvit.data._pixel_mixing import PixelMixing, mixed_images


class ImagePipeline:
    """Reads, augments and mixes images on their way to the network.

    `batch` draws all random numbers, in NumPy. `apply` is one implementation for
    the data set and for a compiled step.

    Args:
        x: Array of images `(n, H, W, C)`, or a source of images.
        y: Array of labels, integers `(n,)` or soft labels `(n, K)`.
        augment: `Augment`, or `None`. Defaults to `None`.
        pixel_mixing: `PixelMixing`, or `None`. Defaults to `None`.
    """

    def __init__(
        self,
        x,
        y: np.ndarray,
        augment: Augment | None = None,
        pixel_mixing: PixelMixing | None = None,
    ):
        self.x, self.y = x, y
        self.read_shape = tuple(x.shape[1:])
        self.pixel_mixing = pixel_mixing
        self.types = None
        # Where images come in various sizes, only reading sees the originals.
        self.crop: Any = None
        augmentations = list(augment.augmentations) if augment is not None else []
        varies = augmentations and getattr(x, "varies", False)
        if varies and isinstance(augmentations[0], RandomResizedCrop):
            self.crop = augmentations.pop(0)
        self.augment = Augment(augmentations) if augmentations else None
        self.device_images: Any = None
        self._on_device: Any = None

    def on_device(self) -> "ImagePipeline":
        """The same pipeline for images that stay on the device.

        Its batches hold the indices of images, which a step looks up.
        """
        if self.device_images is not None:
            return self
        if self._on_device is None:
            other = copy.copy(self)
            other.types = None
            other.device_images = DeviceImages(self.x)
            self._on_device = other
        self._on_device.device_images.send()
        return self._on_device

    def __getstate__(self):
        # A copy puts images on its device when it needs them.
        return {**vars(self), "_on_device": None}

    def look_up(self, indices):
        """Images on the device, of their indices.

        Args:
            indices: Integer tensor `(B, M)`.

        Returns:
            Tensor `(B, M, H, W, C)`.
        """
        return ops.take(self.device_images.value, indices, axis=0)

    @property
    def is_empty(self) -> bool:
        """Whether `apply` leaves images as they are."""
        return self.augment is None and self.pixel_mixing is None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape (H, W, C) of what the network sees."""
        if self.augment is None:
            return self.read_shape
        return self.augment.output_shape(self.read_shape)

    def batch(self, rng, indices, masks, rows: slice | None = None, candidates=None):
        """Images and labels of a batch, and the draws that `apply` needs.

        Args:
            rng: The only source of chance.
            indices: Integer array `(B, M)`.
            masks: Array `(B, M, h, w)`, the masks that will mix the images.
            rows: Slice of the batch to read, with all that `apply` needs for it,
                or `None` for the whole batch. Draws and labels do not depend on
                it. Defaults to `None`.
            candidates: Integer array, the images that can be partners, or `None`
                for all. Defaults to `None`.

        Returns:
            Images `(B, M, H, W, C)` before `apply`, or their indices `(B, M)`
            where images stay on the device; labels `(B, M)` or `(B, M, K)` of
            the whole batch; and a nested dict of arrays `(B, M, ...)` for
            `apply`.
        """
        draws, labels = {}, self.y[indices]
        uniform = self._draw(rng, indices.shape, draws, "augment")
        images = self._read(part_of(indices, rows), part_of(uniform, rows))
        if self.pixel_mixing is None:
            return self._typed(images, labels, part_of(draws, rows))
        batch, num_subnetworks = indices.shape
        if self.pixel_mixing.partners == "dataset":
            count = len(self.y if candidates is None else candidates)
            partners = rng.integers(count, size=indices.shape)
            partners = partners if candidates is None else candidates[partners]
            other_labels = self.y[partners]
            uniform = self._draw(rng, indices.shape, draws, "partner_augment")
        else:
            samples = np.tile(np.arange(batch)[:, None], (1, num_subnetworks))
            samples = rng.permuted(samples, axis=0).astype("int32")
            columns = np.arange(num_subnetworks)
            other_labels = labels[samples, columns]
            draws["partner"] = samples
        size = self.image_shape[:2]
        mixing, shares = self.pixel_mixing.draw(rng, indices.shape, size, masks)
        draws["mixing"] = mixing
        if "partner" in draws and rows is not None:
            # Partners may be outside the part: they are read as others are.
            del draws["partner"]
            partners = indices[samples, columns]
            if "augment" in draws:
                draws["partner_augment"] = part_of(draws["augment"], (samples, columns))
            uniform = part_of(uniform, (samples, columns))
        draws = part_of(draws, rows)
        if "partner" not in draws:
            # Only inputs that are mixed need the image of their partner.
            some, own = is_mixed(draws["mixing"]["shares"]), part_of(partners, rows)
            if self.device_images is not None:
                draws["partner_images"] = own.astype("int32")
            else:
                others = np.zeros_like(images)
                uniform = part_of(part_of(uniform, rows), some)
                others[some] = self._read(own[some], uniform)
                draws["partner_images"] = others
        shares = shares[..., None].astype("float32")
        labels = shares * labels + (1 - shares) * other_labels
        return self._typed(images, labels, draws)

    def as_drawn(self, images, draws):
        """Tensors of a step with the types that their arrays had.

        Before a first step on several replicas of TensorFlow, Keras takes the
        mean of their inputs, which makes floats of integers. Nothing changes
        where nothing was drawn yet.
        """
        if self.types is None:
            return images, draws
        return keras.tree.map_structure(ops.cast, (images, draws), self.types)

    def apply(self, images, draws, xp=np):
        """Augments images and mixes them with their partners.

        Args:
            images: Array `(B, M, H, W, C)`.
            draws: Draws that `batch` returned.
            xp: Array namespace. Defaults to `numpy`.

        Returns:
            Array `(B, M, H', W', C)`.
        """
        num_subnetworks = images.shape[1]
        images = flat(images, xp)
        images = self._augmented(images, flat_nest(draws.get("augment"), xp), xp)
        if self.pixel_mixing is not None:
            kind = self.pixel_mixing.kind
            images = self._mixed(images, draws, kind, num_subnetworks, xp)
        return xp.reshape(images, (-1, num_subnetworks, *images.shape[1:]))

    def _typed(self, images, labels, draws):
        if self.types is None:
            self.types = keras.tree.map_structure(
                lambda array: str(array.dtype), (images, draws)
            )
        return images, labels, draws

    def _draw(self, rng, shape, draws, name):
        """Draws for images; returns the chance of the crop while reading."""
        count = int(np.prod(shape))
        uniform = None
        if self.crop is not None:
            uniform = self.crop.uniform(rng, count).reshape(*shape, -1)
        if self.augment is not None:
            drawn = self.augment.draw(rng, count, self.read_shape)
            draws[name] = keras.tree.map_structure(
                lambda values: values.reshape(*shape, *values.shape[1:]), drawn
            )
        return uniform

    def _read(self, indices, uniform):
        if self.device_images is not None:
            return indices.astype("int32")
        if uniform is None:
            images = self.x[indices]
        else:
            uniform = uniform.reshape(-1, uniform.shape[-1])
            images = self.x.read(
                indices.reshape(-1),
                lambda i, *size: self.crop.boxes(uniform[i : i + 1], *size)[0],
            )
            images = images.reshape(*indices.shape, *images.shape[1:])
        is_float = images.dtype.kind == "f"
        return images.astype("float32", copy=False) if is_float else images

    def _augmented(self, images, drawn, xp):
        return images if self.augment is None else self.augment.apply(images, drawn, xp)

    def _mixed(self, images, draws, kind, num_subnetworks, xp):
        """Images `(n, H, W, C)`, n = B M; some of them have a partner."""
        mixing = flat_nest(draws["mixing"], xp)
        # NumPy leaves the others out; a compiled step has one shape, and mixes all.
        some = is_mixed(mixing["shares"]) if xp is np else None
        if some is not None and some.all():
            some = None
        if "partner" in draws:
            columns = xp.arange(num_subnetworks, dtype="int32")
            rows = flat(draws["partner"] * num_subnetworks + columns, xp)
            partners = xp.take(images, part_of(rows, some), axis=0)
        else:
            partners = part_of(flat(draws["partner_images"], xp), some)
            if self.device_images is not None:
                # They are indices.
                partners = self.look_up(partners)
            drawn = flat_nest(draws.get("partner_augment"), xp)
            partners = self._augmented(partners, part_of(drawn, some), xp)
        own, mixing = part_of(images, some), part_of(mixing, some)
        mixed = mixed_images(own, partners, mixing, kind, xp)
        if some is None:
            return mixed
        images = images.astype(mixed.dtype)
        images[some] = mixed
        return images


def is_mixed(shares: np.ndarray) -> Any:
    """Which inputs have a partner, by their shares in and around the box."""
    return (shares < 1).any(axis=-1)


def part_of(values, index):
    """A part of every array in a nest; `None`, or all of it, stays as it is."""
    if values is None or index is None:
        return values
    return keras.tree.map_structure(lambda array: array[index], values)


def flat(values, xp: Any = np):
    """Values `(B, M, ...)` as `(B M, ...)`."""
    return xp.reshape(values, (-1, *values.shape[2:]))


def flat_nest(values, xp: Any = np):
    """`flat` of every array in a nest, or `None`."""
    if values is None:
        return None
    return keras.tree.map_structure(lambda array: flat(array, xp), values)
