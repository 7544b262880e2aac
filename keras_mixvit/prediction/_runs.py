"""The runs of a prediction: their networks, classes and validation images."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data import ImageSet
from keras_mixvit.data.sources._file_checks import shown
from keras_mixvit.models import MIMOModel
from keras_mixvit.prediction._network import Network
from keras_mixvit.prediction._sources import source_of
from keras_mixvit.recipes._protocol import BEST
from keras_mixvit.training._held_out import (
    HeldOut,
    network_of,
    read_held_out,
    write_held_out,
)
from keras_mixvit.training._run_images import RunImages


class Runs:
    """The runs of a prediction: their networks, classes and validation images.

    Args:
        runs: Sequence of what `source_of` takes.
        temperature: What `Network` takes.
        tell: Function to call with a sentence on each thing that is missing.

    Raises:
        ValueError: If there is no such run, or runs do not fit together.
    """

    def __init__(
        self,
        runs: Sequence[Any],
        temperature: float | None,
        tell: Callable[[str], None],
    ):
        self.names = [str(run) for run in runs]
        self.sources = [source_of(run) for run in runs]
        self.files = [source.file for source in self.sources]
        places = [file.resolve() for file in self.files]
        require(
            len(set(places)) == len(places),
            "`runs` must not hold one run twice.",
            runs=self.names,
        )
        self.tell = tell
        self.facts = [source.facts for source in self.sources]
        classes = {tuple(fact["classes"]) for fact in self.facts if "classes" in fact}
        require(
            len(classes) < 2,
            "`runs` must have the same classes, in the same order.",
            classes=[list(names[:5]) for names in sorted(classes)],
        )
        self.models: list[MIMOModel] = [source.model() for source in self.sources]
        self.network = Network(self.models, temperature)
        self.dtype = self.facts[0].get("dtype")
        self._classes = next(iter(classes), None)

    def held_out(self, batch_size: int, needed: bool, verbose: bool) -> HeldOut | None:
        """The scores of the validation images, read or computed now and stored.

        Args:
            batch_size: Positive integer, images per step.
            needed: Boolean, whether prediction sets need them.
            verbose: Boolean, whether a terminal shows the progress.

        Raises:
            ValueError: If they are needed, and there are none.
        """
        folders, key = [file.parent for file in self.files], network_of(self.models)
        stored = (read_held_out(folder, key) for folder in folders)
        held = next((found for found in stored if found is not None), None)
        if held is None:
            try:
                held = self._fit(batch_size, verbose)
            except (ValueError, OSError, ModuleNotFoundError) as error:
                require(not needed, f"{NO_SETS} {error}", runs=self.names)
                self.tell(f"No image gets the flag `unlike_training`: {error}")
                return None
            # The folder may be read-only.
            with contextlib.suppress(OSError):
                write_held_out(folders[0], key, held)
        require(
            not needed or held.misses is not None,
            f"`sets` must not be set for {BEST}, because the validation images chose "
            "it; use model.keras.",
            runs=self.names,
        )
        return held

    def classes(self, held: HeldOut | None) -> tuple[str, ...]:
        """The names of the classes, or their numbers if no file has the names.

        Args:
            held: The result of `held_out`.
        """
        count = self.models[0].num_classes
        found = self._classes or (None if held is None else held.classes)
        if found is None:
            with contextlib.suppress(ValueError, OSError, ModuleNotFoundError):
                found = RunImages(self.files[0]).load("train").class_names
        if found is None or len(found) != count:
            self.tell(
                "Classes have numbers as names: the run does not store their names, "
                "and its images are not available."
            )
            return numbered(count)
        return tuple(found)

    def _fit(self, batch_size, verbose) -> HeldOut:
        require(
            all(source.preset is None for source in self.sources),
            "`run` must be of a training to have validation images; a preset has none.",
            run=self.names,
        )
        kept = {fact.get("validation") for fact in self.facts}
        require(
            len(self.files) == 1 or (len(kept) == 1 and None not in kept),
            "`runs` must have held out the same validation images.",
            runs=self.names,
        )
        of_runs = [RunImages(file) for file in self.files]
        require(
            all(images.has_validation for images in of_runs),
            "`run` must have validation images that it was not trained on.",
            runs=self.names,
        )
        chose = any(images.chose_the_model for images in of_runs)
        return fitted(self.network, of_runs[0].load("val"), batch_size, chose, verbose)


NO_SETS = (
    "`sets` must not be set before the validation images were read once. Where they "
    "are available, run `keras-mixvit evaluate RUN`, or predict with several runs; "
    "this stores the scores that sets need."
)


def fitted(
    network: Network,
    images: ImageSet,
    batch_size: int,
    chose_the_model: bool = False,
    verbose: bool = False,
) -> HeldOut:
    """The scores of held-out images, by which others are judged.

    Args:
        network: `Network`.
        images: `ImageSet`.
        batch_size: Positive integer, images per step.
        chose_the_model: Boolean, whether the images chose the model. Defaults to
            `False`.
        verbose: Boolean, whether a terminal shows the progress. Defaults to
            `False`.
    """
    shape = network.models[0].image_shape
    require(
        tuple(images.images.shape[1:]) == tuple(shape),
        f"Held-out images must have the shape {tuple(shape)}.",
        shape=tuple(images.images.shape[1:]),
    )
    batches, found = images.batches(batch_size), []
    about = f"Reading {len(images.labels):,} validation images, once"
    with bar(about, len(batches), verbose) as advance:
        try:
            for i in range(len(batches)):
                pixels, _ = batches[i]
                found.append(network.plain(network.logits(pixels)))
                advance()
        finally:
            batches.close()
    logits = np.concatenate(found).astype("float32")
    return HeldOut.fit(
        *(logits, images.labels, images.class_names, network.ensemble_of),
        chose_the_model,
    )


def numbered(count: int) -> tuple[str, ...]:
    """Names of classes that have none."""
    return tuple(map(str, range(count)))


def bar(about: str, total: int, verbose: bool) -> Any:
    """A progress bar on a terminal, if it is wanted."""
    return shown(about, total) if verbose else contextlib.nullcontext(lambda: None)
