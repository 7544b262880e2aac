"""What the arguments of a data set of mixed pairs must be."""

import numpy as np

from keras_mixvit._checks import (
    is_number,
    require,
    require_choice,
    require_positive_integer,
)
from keras_mixvit.augmentation import Augment
from keras_mixvit.data._manifold_mixing import ManifoldMixing
from keras_mixvit.data._pixel_mixing import PixelMixing
from keras_mixvit.masks._mask_sampler import MaskSampler


def require_numbers(
    *,
    num_classes,
    epochs,
    batch_size,
    seed,
    repetitions,
    input_repetition,
    input_order,
) -> None:
    """Checks the range of each argument that can be checked alone."""
    if num_classes is not None:
        require_positive_integer("num_classes", num_classes)
    require_positive_integer("epochs", epochs)
    require_positive_integer("batch_size", batch_size)
    require_positive_integer("seed", seed, minimum=0)
    require_positive_integer("repetitions", repetitions)
    require(
        batch_size % repetitions == 0,
        "`repetitions` must divide `batch_size`.",
        repetitions=repetitions,
        batch_size=batch_size,
    )
    require(
        is_number(input_repetition) and 0 <= input_repetition <= 1,
        "`input_repetition` must be in [0, 1].",
        input_repetition=input_repetition,
    )
    require_choice("input_order", input_order, ("random", "by_ratio", None))


def require_fitting(
    x,
    y,
    masks,
    *,
    num_classes,
    batch_size,
    repetitions,
    drop_remainder,
    augment,
    pixel_mixing,
    manifold_mixing,
    apply_on,
    keeps_on_device,
) -> None:
    """Checks that images, labels, masks and augmentation fit together."""
    require(
        len(x) == len(y),
        "`x` and `y` must have the same length.",
        x=len(x),
        y=len(y),
    )
    require(
        batch_size // repetitions <= len(x) or not drop_remainder,
        "`batch_size` must not exceed the number of images.",
        batch_size=batch_size,
        images=len(x),
    )
    for name, kind, value in (
        ("masks", MaskSampler, masks),
        ("augment", Augment, augment),
        ("pixel_mixing", PixelMixing, pixel_mixing),
        ("manifold_mixing", ManifoldMixing, manifold_mixing),
    ):
        optional = name != "masks"
        require(
            isinstance(value, kind) or (value is None and optional),
            f"`{name}` must be a `{kind.__name__}`{' or None' if optional else ''}.",
            **{name: value},
        )
    require(
        augment is None or x.dtype == np.uint8,
        "`x` must be uint8 if images are augmented.",
        dtype=str(x.dtype),
    )
    for name, mixing in (
        ("pixel_mixing", pixel_mixing),
        ("manifold_mixing", manifold_mixing),
    ):
        require(
            mixing is None or num_classes is not None or y.ndim == 2,
            f"`num_classes` must be given with `{name}` and integer labels.",
            num_classes=num_classes,
        )
    require(
        manifold_mixing is None or masks.num_subnetworks == 1,
        "`manifold_mixing` must be None with several inputs in a sample.",
        num_subnetworks=masks.num_subnetworks,
    )
    if apply_on == "device":
        require(
            augment is not None or pixel_mixing is not None or keeps_on_device,
            "`apply_on` must be 'pipeline' if images are neither augmented, nor mixed "
            "in pixels, nor kept on the device.",
            apply_on=apply_on,
        )
        require(
            augment is None or augment.runs_on_device,
            "`apply_on` must be 'pipeline' with an augmentation that cannot run in a "
            "compiled step, such as KerasLayer.",
            apply_on=apply_on,
        )


def require_shard_groups(
    shard_groups,
    shards,
    *,
    num_images,
    shuffle,
    drop_remainder,
    batch_size,
    repetitions,
) -> None:
    """Checks that a batch can be made of equal parts from groups of shards."""
    require_positive_integer("shard_groups", shard_groups)
    if shard_groups == 1:
        return
    require(
        shards is not None,
        "`shard_groups` must be 1 for images that are not in shards, and for shards "
        "that are sorted by class.",
        shard_groups=shard_groups,
    )
    require(
        shard_groups <= len(shards),
        f"`shard_groups` must be at most {len(shards)}, the number of shards.",
        shard_groups=shard_groups,
    )
    require(
        shuffle and drop_remainder,
        "`shard_groups` must be 1 if `shuffle` or `drop_remainder` is False.",
        shard_groups=shard_groups,
    )
    different = batch_size // repetitions
    require(
        different % shard_groups == 0,
        f"`shard_groups` must divide {different}, the number of different images in "
        "a batch.",
        shard_groups=shard_groups,
    )
    require(
        different >= 2 * shard_groups,
        f"`shard_groups` must be at most {different // 2}, so that each group has at "
        f"least two of the {different} different images in a batch.",
        shard_groups=shard_groups,
    )
    sizes = np.diff(shards, append=num_images)
    smallest = min(sizes[group::shard_groups].sum() for group in range(shard_groups))
    require(
        different // shard_groups <= smallest,
        f"`batch_size` must be at most {smallest * shard_groups * repetitions}: the "
        f"smallest of {shard_groups} groups of shards has {smallest} images.",
        batch_size=batch_size,
    )


def require_patches(masks, image_size: tuple[int, int]) -> None:
    """Checks that the patches of the masks tile the images."""
    height, width = image_size
    require(
        height % masks.patch_size == 0 and width % masks.patch_size == 0,
        "`masks.patch_size` must divide the image size.",
        patch_size=masks.patch_size,
        image_size=image_size,
    )
