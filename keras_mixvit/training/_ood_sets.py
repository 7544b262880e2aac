"""Images out of the distribution, for the evaluation of a run."""

import os
from collections.abc import Sequence
from typing import Any

from keras_mixvit._checks import require
from keras_mixvit.data import ImageSet, load
from keras_mixvit.data.sets._load import data_label, is_data_path, splits


def load_ood(
    names: Sequence[str], known: str, size: tuple[int, int], data_dir: Any = None
) -> dict[str, ImageSet]:
    """The test images of other sets, or else their validation or training images.

    Args:
        names: Sequence of names or paths, as `load` takes them.
        known: String, the data set that evaluates the model.
        size: (H, W), to which images of other sizes are resized.
        data_dir: Path of the folder with the files of named sets, or `None`. Defaults
            to `None`.
    """
    require(
        isinstance(names, (list, tuple))
        and all(isinstance(name, (str, os.PathLike)) for name in names)
        and len(set(map(str, names))) == len(names),
        "`ood` must be a list of different names or paths of sets.",
        ood=names,
    )
    require(
        known not in map(str, names),
        "`ood` must not hold the data set that evaluates the model.",
        ood=list(names),
        data=known,
    )
    found = {}
    for name in names:
        where = {} if data_dir is None or is_data_path(name) else {"data_dir": data_dir}
        held = splits(name, **where)
        split = next(split for split in ("test", "val", "train") if split in held)
        images = load(name, split, **where)
        if tuple(images.images.shape[1:3]) != size:
            images = load(name, split, image_size=size, **where)
        label = data_label(str(name))
        found[str(name) if label in found else label] = images
    return found
