"""A model judged under the corruptions of `corrupt`, on any set of images."""

import importlib.util

import keras
import numpy as np

from keras_mixvit.data import ImageSet
from keras_mixvit.evaluation._corruption_report import CorruptionReport
from keras_mixvit.evaluation._corruptions import SEVERITIES, corrupt
from keras_mixvit.evaluation._evaluate import require_model
from keras_mixvit.evaluation._judge import Judge
from keras_mixvit.evaluation._predicted import graph_of, predicted
from keras_mixvit.models import MIMOModel

# Mild, middling and strong.
JUDGED = (1, 3, 5)
SAMPLED_IMAGES = 1024


def corruption_names() -> list[str]:
    """The corruptions that are available: JPEG needs Pillow."""
    has_pillow = importlib.util.find_spec("PIL") is not None
    return [name for name in SEVERITIES if name != "jpeg" or has_pillow]


def judged_corruptions(
    model: MIMOModel,
    data: ImageSet,
    name: str,
    seed: int = 0,
    batch_size: int = 128,
) -> CorruptionReport:
    """Scores of the ensemble under each corruption, at severities 1, 3 and 5.

    Args:
        model: Model of this library.
        data: `ImageSet`.
        name: String, the name of the set.
        seed: Non-negative integer, of the noise. Defaults to `0`.
        batch_size: Positive integer, images per step; it changes the noise.
            Defaults to `128`.

    Returns:
        A `CorruptionReport`, whose rows have `calibrated_nll` too.
    """
    require_model(model)
    graph, groups = graph_of(model, list(model.inference_schemes)[:1] or [None])
    low, high = brightness_of(data.images)
    rows = []
    for corruption in corruption_names():
        for severity in JUDGED:
            batches = Corrupted(data, batch_size, corruption, severity, seed)
            batches.low, batches.high = low, high
            group = next(predicted(graph, groups, batches, batch_size, 0))
            scores = Judge(data.labels).row(group.averaged)
            kept = ("accuracy", "nll", "calibrated_nll", "ece")
            row = {"corruption": corruption, "severity": severity}
            rows.append({**row, **{key: scores[key] for key in kept}})
    return CorruptionReport(model.name, name, rows)


def brightness_of(images) -> tuple[float, float]:
    """The values of black and white: 0 and 255, or those of the images.

    Args:
        images: Array or `ImageSource` `(n, H, W, C)`.
    """
    count = len(images)
    places = np.linspace(0, count - 1, min(count, SAMPLED_IMAGES)).astype("int64")
    found = images[places]
    high = float(found.max())
    # The largest of many ordinary images is white, or nearly.
    if found.dtype == np.uint8 and high > 127:
        return 0.0, 255.0
    low = min(0.0, float(found.min()))
    return low, high if high > low else low + 1.0


class Corrupted(keras.utils.PyDataset):
    """Corrupted images, batch by batch, on the scale of the images.

    Args:
        data: `ImageSet`.
        batch_size: Positive integer.
        corruption: String.
        severity: Integer from 1 to 5.
        seed: Non-negative integer.
    """

    low, high = 0.0, 255.0

    def __init__(
        self, data: ImageSet, batch_size: int, corruption: str, severity: int, seed: int
    ):
        super().__init__()
        self.data, self.batch_size = data, batch_size
        self.corruption, self.severity, self.seed = corruption, severity, seed

    def __len__(self):
        return -(-len(self.data.labels) // self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        stop = min(start + self.batch_size, len(self.data.labels))
        images = self.data.images[start:stop].astype("float32")
        scale = 255 / (self.high - self.low)
        whites = np.clip(np.rint((images - self.low) * scale), 0, 255)
        # Each batch has its own noise.
        seed = int(np.random.SeedSequence([self.seed, index]).generate_state(1)[0])
        found = corrupt(whites.astype("uint8"), self.corruption, self.severity, seed)
        return (self.low + found.astype("float32") / scale,)
