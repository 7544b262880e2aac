"""Answers to images that come one after the other."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from keras_mixvit.metrics import ConformalSets
from keras_mixvit.metrics._softmax import softmax
from keras_mixvit.prediction._network import Network
from keras_mixvit.prediction._prediction import Prediction
from keras_mixvit.training._held_out import HeldOut, unlikeness


class Answers:
    """Answers to images that come one after the other.

    Args:
        network: `Network`.
        classes: Tuple of K strings.
        top: Positive integer, how many classes an answer names.
        held: `HeldOut`, or `None` where nothing is known about held-out images.
        sets: `ConformalSets`, or `None` where none are wanted.
    """

    def __init__(
        self,
        network: Network,
        classes: tuple[str, ...],
        top: int,
        held: HeldOut | None,
        sets: ConformalSets | None,
    ):
        self.network, self.classes, self.top = network, classes, top
        self.held, self.sets = held, sets

    def of_batch(self, names: list[str], images: np.ndarray) -> list[Prediction]:
        """The answers to a batch.

        Args:
            names: List of at most B strings.
            images: Array `(B, H, W, C)`; images beyond the names get no answer.
        """
        return self.of_logits(names, self.network.logits(images)[: len(names)])

    def of_logits(self, names: list[str], logits: np.ndarray) -> list[Prediction]:
        """The answers to the images of a batch of logits.

        Args:
            names: List of B strings.
            logits: Array `(B, M, K)`, of `Network.logits`.
        """
        plain = self.network.plain(logits)
        calibrated = self.network.calibrated(logits)
        shares = softmax(calibrated)
        # Of equal probabilities, the first class stands first.
        order = np.argsort(-calibrated, axis=1, kind="stable")
        scores = self.network.scores(logits, calibrated)
        unlike = unlikeness(plain, self.network.ensemble_of)
        chosen = None if self.sets is None else self.sets.predict(plain)
        found = []
        for i, name in enumerate(names):
            top = order[i, : self.top]
            possible = None
            if chosen is not None:
                possible = tuple(self.classes[k] for k in order[i] if chosen[i, k])
            found.append(
                Prediction(
                    name,
                    tuple(self.classes[k] for k in top),
                    tuple(shares[i, top].tolist()),
                    float(scores["entropy"][i]),
                    _at(scores.get("mutual_information"), i),
                    _at(scores.get("disagreement"), i),
                    float(unlike[i]),
                    None if self.held is None else bool(unlike[i] > self.held.limit),
                    possible,
                )
            )
        return found


def answered(
    images: Iterable[tuple[str, np.ndarray | str]],
    answer: Callable[[list[str], np.ndarray], list[Prediction]],
    batch_size: int,
) -> Iterator[Prediction]:
    """Answers in the order of the images, which are taken batch by batch.

    Every batch but a single one has the same size, so that the network is compiled
    once.

    Args:
        images: Iterable of names with pixels, or with the reason why there are none.
        answer: Function of names and pixels.
        batch_size: Positive integer.
    """
    waiting: list[Prediction | None] = []
    names, pixels, is_first = [], [], True

    def answers():
        batch = np.stack(pixels)
        if not is_first and len(batch) < batch_size:
            rest = np.repeat(batch[-1:], batch_size - len(batch), axis=0)
            batch = np.concatenate([batch, rest])
        return iter(answer(names, batch))

    for name, found in images:
        if isinstance(found, str):
            waiting.append(Prediction(name, error=found))
        else:
            waiting.append(None)
            names.append(name)
            pixels.append(found)
        if len(pixels) == batch_size:
            done = answers()
            yield from (next(done) if each is None else each for each in waiting)
            waiting, names, pixels, is_first = [], [], [], False
        elif not pixels:
            # Errors of damaged files do not wait for a batch.
            yield from (each for each in waiting if each is not None)
            waiting = []
    done = answers() if pixels else iter(())
    yield from (next(done) if each is None else each for each in waiting)


def _at(values, i):
    return None if values is None else float(values[i])
