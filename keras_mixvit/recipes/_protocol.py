"""Which images validate a training, and which test it.

`"validation"`: validation images evaluate the network after every epoch. They choose
`best.keras`, and the temperature is fitted on them. They come with the data set; if
not, they are a part of the training images. The test images evaluate the network once,
after the last epoch.

`"paper"`: the network trains on all training images, and the test images evaluate it
after every epoch, as in both papers. So they must not choose anything: the last epoch
counts, there is no `best.keras`, and no temperature is fitted. (Both papers report the
epoch of the highest test accuracy, and MixMo's Table 8 also the last one. This library
does not choose by test images.)
"""

from keras_mixvit._checks import require
from keras_mixvit.data.sets._validation_split import with_validation
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.recipes._data_share import places_of
from keras_mixvit.recipes._option_names import OF_DATA, named_as
from keras_mixvit.recipes._settings import Data

PROTOCOLS = ("validation", "paper")
# The share of the training images, if a data set has no validation split.
VAL_SHARE = 0.1
# The file that only the protocol "validation" writes.
BEST = "best.keras"


def cut_share(protocol: str, val_share: float | None, splits) -> float | None:
    """The share of the training images that is held out for validation.

    Args:
        protocol: String, one of `PROTOCOLS`.
        val_share: Float of the recipe, or `None` for the default.
        splits: Names of the splits that the data set already has.

    Returns:
        Float, or `None` if none is held out.

    Raises:
        ValueError: If `val_share` is set and the data set has a validation split.
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
    """The splits of a run, from those that its data set already has.

    Args:
        data: `Data` of a recipe.
        own: Dict from splits to `ImageSet`.

    Raises:
        ValueError: If no images are left to test the network, or `val_share` does not
            fit the data set.
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
    """The split that evaluates the network after the last epoch."""
    return "test" if "test" in splits else "val"


def watched_split(protocol: str, splits) -> str:
    """The split that evaluates the network after every epoch."""
    return "val" if protocol == "validation" else judged_split(splits)


def protocol_in_words(data: Data, sets: dict[str, ImageSet], own) -> str:
    """One or two sentences about the protocol of a run.

    Args:
        data: `Data` of a recipe.
        sets: Dict that `sets_of` returned.
        own: Names of the splits that the data set already has.
    """
    judged = judged_split(sets)
    if data.protocol == "paper":
        total = len(sets["train"].labels)
        trained = f"all {total}"
        if data.share < 1:
            trained = f"{len(places_of(sets['train'], data.share))} of the {total}"
        return (
            f"Protocol 'paper': it trains on {trained} training images; the {judged} "
            f"images evaluate every epoch. The last epoch counts; there is no {BEST}."
        )
    count = len(sets["val"].labels)
    if "val" in own:
        source = f"the {count} images of the validation split"
    else:
        total = count + len(sets["train"].labels)
        source = f"{count} of the {total} training images, a share of each class,"
    words = f"Protocol 'validation': {source} choose {BEST}"
    if judged == "test":
        return f"{words}. The test images evaluate the last epoch."
    return (
        f"{words}. There is no test split: they also evaluate the last epoch, and "
        f"scores of {BEST} on them are too good."
    )
