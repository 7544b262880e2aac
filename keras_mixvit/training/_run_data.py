"""The images of a run, and the facts that identify them."""

import warnings

import keras

from keras_mixvit.data import ImageSet, load
from keras_mixvit.data.sets._class_folders import require_classes
from keras_mixvit.data.sets._load import splits
from keras_mixvit.distribution import Parallel
from keras_mixvit.recipes._option_names import OF_DATA, named_as
from keras_mixvit.recipes._protocol import sets_of
from keras_mixvit.recipes._settings import Data
from keras_mixvit.training._run_facts import device, fingerprint, versions
from keras_mixvit.training._run_settings import RunSettings


def load_sets(
    settings: RunSettings, on_error: str = "when_read", skipped: dict | None = None
) -> dict[str, ImageSet]:
    """All splits of the images of a run, with the validation split that it cuts.

    Args:
        settings: `RunSettings`.
        on_error: What to do with damaged image files, as in `load`. Defaults to
            `"when_read"`.
        skipped: Dict from splits to names of files to skip, or `None`. Defaults to
            `None`.
    """
    data = settings.recipe.data
    sets = sets_of(data, load_own(settings, on_error, skipped or {}))
    require_classes(sets["train"], data.name)
    return sets


def load_own(settings: RunSettings, on_error: str, skipped: dict) -> dict:
    """The splits that the data set of a run already has.

    Args:
        settings: `RunSettings`.
        on_error: What to do with damaged image files, as in `load`.
        skipped: Dict from splits to names of files to skip.
    """
    data, data_dir = settings.recipe.data, settings.data_dir
    with warnings.catch_warnings():
        # The caller prints which files were skipped.
        warnings.filterwarnings("ignore", ".* are left out, the first one ")
        return _loaded(data, data_dir, on_error, skipped)


def _loaded(data: Data, data_dir, on_error, skipped):
    with named_as(OF_DATA):
        return {
            split: load(
                data.name,
                split,
                data_dir=data_dir,
                image_size=data.image_size,
                on_error=on_error,
                leave_out=skipped.get(split, ()),
            )
            for split in splits(data.name, data_dir)
        }


def facts(sets: dict[str, ImageSet], parallel: Parallel) -> dict:
    """Versions, backend, devices and data, which `resume` compares."""
    return {
        "versions": versions(),
        "backend": keras.config.backend(),
        "device": device(),
        "replicas": parallel.num_replicas,
        "data": {
            "fingerprint": fingerprint(sets),
            "shapes": {split: list(x.images.shape) for split, x in sets.items()},
            "validation": fingerprint({"val": sets["val"]}) if "val" in sets else None,
            # What a prediction of other images needs to know.
            "classes": list(sets["train"].class_names),
            "dtype": str(sets["train"].images.dtype),
        },
    }
