"""Leaves damaged images out of a split, or refuses them."""

import io
import warnings

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.sources._encoded_images import EncodedItems
from keras_mixvit.data.sources._file_checks import for_all, listed
from keras_mixvit.data.sources._image_files import decoded, reason


def refuse_or_warn(
    damaged: dict[str, str], count: int, split: str, on_error: str, place: str
) -> None:
    """Lists the damaged images of a split in an error, or in a warning.

    Args:
        damaged: Dict from names to errors, not empty.
        count: Integer, the number of images of the split.
        split: String.
        on_error: `"refuse"` or `"skip"`.
        place: String, the folder or set.
    """
    about = f"{len(damaged):,} of {count:,} files of the {split} split are damaged"
    require(
        on_error == "skip",
        f"Image files must be intact, but {about}. "
        '`on_error="skip"`, or --on-error skip, leaves them out.'
        f"\n{listed(damaged)}\n",
        folder=place,
    )
    first, error = next(iter(damaged.items()))
    warnings.warn(
        f"{about} and are left out, the first one {place}/{first} ({error}).",
        # That of `load`, which calls `load` of the set, which calls the caller.
        stacklevel=5,
    )


def damaged_items(items: EncodedItems, split: str) -> dict[int, str]:
    """Indices of damaged images, with their errors, found by decoding all of them."""

    def failure(index):
        try:
            decoded(io.BytesIO(items.content(index)), "", 3)
        except (OSError, ValueError) as error:
            return reason(error.__cause__ or error)
        finally:
            items.close()
        return None

    found = for_all(failure, range(len(items)), f"Reading {split}")
    return {index: error for index, error in found if error is not None}


def intact(items, labels: np.ndarray, split: str, on_error: str, leave_out, place: str):
    """Images of a split without those that are damaged, or listed.

    Args:
        items: `EncodedItems`.
        labels: Integer array `(n,)`.
        split: String.
        on_error: See `load`.
        leave_out: See `load`; if it is not empty, no image is read.
        place: String, the set that errors name.

    Returns:
        The images that are left, their labels, and a dict from the names of those
        that are not to their errors.
    """
    damaged = {}
    if len(leave_out):
        places = items.places_of(set(leave_out))
    elif on_error == "when_read":
        return items, labels, damaged
    else:
        found = damaged_items(items, split)
        damaged = {items.name(index): error for index, error in found.items()}
        places = np.array(sorted(found), int)
        items.close()
        if damaged:
            refuse_or_warn(damaged, len(items), split, on_error, place)
    if not len(places):
        return items, labels, damaged
    kept = np.setdiff1d(np.arange(len(items)), places)
    return items.taken(kept), labels[kept], damaged
