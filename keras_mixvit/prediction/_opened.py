"""A run, several runs or a model, opened to predict with."""

import os
from collections.abc import Callable
from typing import Any

from keras_mixvit._checks import require
from keras_mixvit._types import ImageShape
from keras_mixvit.data import ImageSet
from keras_mixvit.models import MIMOModel
from keras_mixvit.prediction._answers import Answers
from keras_mixvit.prediction._network import Network
from keras_mixvit.prediction._options import Options
from keras_mixvit.prediction._runs import Runs, fitted, numbered


class Opened:
    """A run, several runs or a model, opened to predict with.

    Args:
        run: What `predict` takes.
        temperature: What `Network` takes.
        tell: Function to call with a sentence on each thing that is missing.

    Attributes:
        network: `Network`.
        dtype: String, the dtype of the training images, or `None` if it is not known.

    Raises:
        ValueError: If there is no such run, or runs do not fit together.
    """

    def __init__(
        self, run: Any, temperature: float | None, tell: Callable[[str], None]
    ):
        self.tell, self.is_plain = tell, temperature is None
        self.runs: Runs | None = None
        self.dtype: str | None = None
        if isinstance(run, MIMOModel):
            self.network = Network([run], temperature)
        else:
            self.runs = Runs(_paths(run), temperature, tell)
            self.network, self.dtype = self.runs.network, self.runs.dtype

    @property
    def image_shape(self) -> ImageShape:
        """(H, W, C) of the training images."""
        return self.network.models[0].image_shape

    def answers(
        self, options: Options, held_out: ImageSet | None, verbose: bool
    ) -> Answers:
        """What gives the answers, with all that held-out images say about them.

        Args:
            options: `Options`.
            held_out: `ImageSet` in place of the validation images of the run, or
                `None`.
            verbose: Boolean, whether a terminal shows the progress.

        Raises:
            ValueError: If held-out images do not fit, or sets need some and there are
                none.
        """
        sets, batch_size = options.sets, options.batch_size
        require(
            sets is None or held_out is not None or self.runs is not None,
            "`held_out` must be given with `sets` if the model does not belong to a "
            "run.",
            sets=sets,
        )
        held = None
        if held_out is not None:
            held = fitted(self.network, held_out, batch_size, verbose=verbose)
        elif self.runs is not None:
            held = self.runs.held_out(batch_size, sets is not None, verbose)
        count = self.network.models[0].num_classes
        classes = numbered(count)
        if self.runs is not None:
            classes = self.runs.classes(held)
        elif held is not None:
            classes = held.classes
        require(
            len(classes) == count,
            f"`held_out` must have the {count} classes of the model.",
            classes=len(classes),
        )
        if self.is_plain:
            self._calibrate(held)
        conformal = None if held is None or sets is None else held.sets(sets)
        top = min(options.top, count)
        return Answers(self.network, classes, top, held, conformal)

    def _calibrate(self, held):
        """Several runs get the temperature of their mean, if it is known."""
        network, is_one = self.network, len(self.network.models) == 1
        known = None if held is None else held.temperature
        if not is_one and known is not None:
            network.calibrate_together(known)
        elif all(t == 1 for t in network.temperatures):
            self.tell(
                "Probabilities are not calibrated: `keras-mixvit evaluate RUN "
                "--calibrate` fits a temperature and saves it."
            )
        elif not is_one:
            self.tell(
                "Each run keeps its own temperature, so the ensemble may be less sure "
                "than it should be: no validation images give it a temperature."
            )


def require_held_out(held_out: Any) -> None:
    """Requires held-out images to be an `ImageSet` or `None`."""
    require(
        held_out is None or isinstance(held_out, ImageSet),
        "`held_out` must be an `ImageSet` or None.",
        held_out=type(held_out).__name__,
    )


def _paths(run) -> list:
    paths = list(run) if isinstance(run, (list, tuple)) else [run]
    require(
        len(paths) > 0 and all(isinstance(path, (str, os.PathLike)) for path in paths),
        "`run` must be the path of a run, a sequence of paths, or a model of this "
        "library.",
        run=run,
    )
    return paths
