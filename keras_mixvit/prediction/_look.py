"""One image and all that a network says about it: what a page shows."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data import ImageSet
from keras_mixvit.metrics._softmax import softmax
from keras_mixvit.prediction._attention import attention_of
from keras_mixvit.prediction._opened import Opened
from keras_mixvit.prediction._options import Options
from keras_mixvit.prediction._pixels import file_pixels
from keras_mixvit.prediction._prediction import Prediction


@dataclass(frozen=True)
class Said:
    """What one subnetwork says.

    Args:
        name: String, such as `"subnetwork 0"`.
        answer: String, the class that it finds likeliest.
        probability: Float, its calibrated probability.
    """

    name: str
    answer: str
    probability: float


@dataclass(frozen=True)
class Look:
    """One image and all that a network says about it.

    Args:
        prediction: `Prediction`, of which an `error` leaves the rest empty.
        pixels: uint8 array `(H, W, C)`, what the network sees, or `None`. Defaults to
            `None`.
        said: Tuple of `Said`, one for each subnetwork. Defaults to `()`.
        maps: Tuple of titles and PNG files of attention maps. Defaults to `()`.
    """

    prediction: Prediction
    pixels: np.ndarray | None = None
    said: tuple[Said, ...] = ()
    maps: tuple[tuple[str, bytes], ...] = ()


class Looker:
    """Looks at image files, one by one, as `predict` does.

    Args:
        run: What `predict` takes.
        options: `Options`.
        held_out: `ImageSet` in place of the validation images of the run, or `None`.
            Defaults to `None`.
        verbose: Boolean, whether a terminal shows the progress. Defaults to `False`.
        tell: Function to call with a sentence on what is missing, or `None`. Defaults
            to `None`.

    Attributes:
        notes: List of sentences on what is missing.

    Raises:
        ValueError: If there is no such run, runs do not fit together, it takes no
            image files, or there are no held-out images for sets.
    """

    def __init__(
        self,
        run: Any,
        options: Options,
        held_out: ImageSet | None = None,
        verbose: bool = False,
        tell: Callable[[str], None] | None = None,
    ):
        self.notes: list[str] = []

        def note(sentence):
            self.notes.append(sentence)
            if tell is not None:
                tell(sentence)

        opened = Opened(run, options.temperature, note)
        self.shape, self.max_pixels = opened.image_shape, options.max_pixels
        require(
            opened.dtype in (None, "uint8") and self.shape[2] in (1, 3),
            "`run` must have been trained on grey or RGB images of bytes: a page takes "
            "image files, whose values are 0 to 255.",
            dtype=opened.dtype,
            channels=self.shape[2],
        )
        self.answers = opened.answers(options, held_out, verbose)
        self.network = opened.network
        found = [attention_of(model) for model in self.network.models]
        self.attention = [attention for attention, _ in found]
        for sentence in dict.fromkeys(why for _, why in found if why):
            self.notes.append(sentence)
        self.names = self._names()
        # The threads of a server come one after the other.
        self.lock = threading.Lock()
        # Compiled now, so that the first image does not wait.
        self.network.logits(np.zeros((1, *self.shape), "uint8"))

    def look(self, path: str) -> Look:
        """Looks at an image file of any size and colours.

        Args:
            path: Path of the file.
        """
        name = os.path.basename(path)
        pixels = file_pixels(path, self.shape, self.max_pixels)
        if isinstance(pixels, str):
            # Where the file was put is no use to a reader.
            error = pixels.replace(path, name)
            return Look(Prediction(name, error=error))
        with self.lock:
            logits = self.network.logits(pixels[None])
            (prediction,) = self.answers.of_logits([name], logits)
            maps = tuple(
                (self._of_run(i, "attention"), attention.picture(pixels))
                for i, attention in enumerate(self.attention)
                if attention is not None
            )
        return Look(prediction, pixels, self._said(logits), maps)

    def _said(self, logits) -> tuple[Said, ...]:
        shares = softmax(self.network.divided(logits)[0])
        classes = [self.answers.classes[k] for k in shares.argmax(axis=1)]
        tops = shares.max(axis=1).tolist()
        rows = zip(self.names, classes, tops, strict=True)
        return tuple(Said(*row) for row in rows)

    def _names(self) -> list[str]:
        """Of all subnetworks, run by run."""
        return [
            self._of_run(i, f"subnetwork {s}" if count > 1 else "network")
            for i, count in enumerate(self.network.counts)
            for s in range(count)
        ]

    def _of_run(self, i: int, name: str) -> str:
        return name if len(self.network.models) == 1 else f"run {i + 1}, {name}"
