"""Which images validate a training, and which judge it.

`"validation"`: after every epoch the network is watched on validation images.
They choose `best.keras`, and a temperature is fitted on them. They are the set's
own, or, where it has none, a part of the training images. The test images judge
the network once, after the last epoch.

`"paper"`: the network trains on all training images and is watched on the images
that judge it, as in both papers. So nothing may be chosen by what is watched: the
last epoch counts, there is no `best.keras`, and no temperature is fitted. (Both
papers report the epoch of the highest test accuracy, and MixMo's Table 8 the last
one too. This library does not choose by test images.)
"""

from keras_mixvit._checks import require
from keras_mixvit.data.sets._validation_split import with_validation
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.recipes._option_names import OF_DATA, named_as
from keras_mixvit.recipes._settings import Data

PROTOCOLS = ("validation", "paper")
# Of the training images, where a set has no validation split.
VAL_SHARE = 0.1
# The file that the protocol "paper" does not write.
BEST = "best.keras"


def cut_share(protocol: str, val_share: float | None, splits) -> float | None:
    """The share of the training images that is cut off for validation.

    Args:
        protocol: String, one of `PROTOCOLS`.
        val_share: Float of the recipe, or `None` for the default.
        splits: Names of the splits that the set has of its own.

    Returns:
        Float, or `None` where nothing is cut.

    Raises:
        ValueError: If `val_share` is set and the set has a validation split.
    """
    require(
        val_share is None or "val" not in splits,
        "`data.val_share` must not be set for a set that has a validation split.",
        **{"data.val_share": val_share},
        splits=tuple(splits),
    )
    if protocol == "paper" or "val" in splits:
        return None
    return VAL_SHARE if val_share is None else val_share


def sets_of(data: Data, own: dict[str, ImageSet]) -> dict[str, ImageSet]:
    """The splits of a run, from those that its set has of its own.

    Args:
        data: `Data` of a recipe.
        own: Dict from splits to `ImageSet`.

    Raises:
        ValueError: If no images are left to judge the network, or `val_share`
            does not fit the set.
    """
    share = cut_share(data.protocol, data.val_share, own)
    require(
        share is not None or "val" in own or "test" in own,
        "`data` must have a validation or a test split with the protocol 'paper'.",
        data=data.name,
    )
    if share is None:
        return own
    with named_as(OF_DATA):
        train, val = with_validation(own["train"], share)
    return {**own, "train": train, "val": val}


def judged_split(splits) -> str:
    """The split whose images judge the network after the last epoch."""
    return "test" if "test" in splits else "val"


def watched_split(protocol: str, splits) -> str:
    """The split on which the network is watched after every epoch."""
    return "val" if protocol == "validation" else judged_split(splits)


def protocol_in_words(data: Data, sets: dict[str, ImageSet], own) -> str:
    """What a run does with its images, in a sentence or two.

    Args:
        data: `Data` of a recipe.
        sets: What `sets_of` gave.
        own: Names of the splits that the set has of its own.
    """
    judged = judged_split(sets)
    if data.protocol == "paper":
        return (
            f"Protocol 'paper': trains on all {len(sets['train'].labels)} training "
            f"images and watches the {judged} images that judge it. The last epoch "
            f"counts; there is no {BEST}."
        )
    count = len(sets["val"].labels)
    if "val" in own:
        source = f"the {count} images of the validation split"
    else:
        total = count + len(sets["train"].labels)
        source = f"{count} of the {total} training images, a share of each class,"
    words = f"Protocol 'validation': {source} choose {BEST}"
    if judged == "test":
        return f"{words}. The test images judge the last epoch."
    return (
        f"{words}. There is no test split: they judge the last epoch too, and figures "
        f"of {BEST} on them are too good."
    )
