"""Which images a report shows, and what a network predicts of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_mixvit.evaluation._judged_classes import class_scores
from keras_mixvit.evaluation._judged_ood import group_scores
from keras_mixvit.evaluation._predicted import Group
from keras_mixvit.metrics._softmax import softmax

# How many confusions are shown as images, and how many images of each.
PAIRS, OF_PAIR = 6, 4
# Nats that are rounding alone.
NOTHING = 1e-9


@dataclass
class Predictions:
    """What a network predicts of the judged images.

    Args:
        labels: Integer array `(n,)`, the true classes.
        probabilities: Array `(n, K)`, of the whole network.
        each: Array `(n, P, K)`, of its P subnetworks or members.
        parts: List of P strings, what these are called.
        information: Array `(n,)`, the mutual information in nats, or `None` where
            there is one prediction.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    each: np.ndarray
    parts: list[str]
    information: np.ndarray | None

    @classmethod
    def of(cls, group: Group, labels: np.ndarray) -> "Predictions":
        """The predictions of a `Group`.

        Args:
            group: `Group`.
            labels: Integer array `(n,)`.
        """
        names = [name or f"member {i}" for i, name in enumerate(group.parts)]
        information = group_scores(group).get("mutual_information")
        return cls(
            np.asarray(labels),
            softmax(group.averaged),
            softmax(group.logits),
            names,
            information,
        )

    @property
    def predicted(self) -> np.ndarray:
        """The predicted classes `(n,)`."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """The probabilities `(n,)` of the predicted classes."""
        return self.probabilities.max(axis=1)

    @property
    def is_wrong(self) -> np.ndarray:
        """Whether each prediction is wrong, `(n,)`."""
        return self.predicted != self.labels

    def about(self, i: int) -> dict[str, Any]:
        """What is predicted of one image, for JSON.

        Args:
            i: Integer, the place of the image.
        """
        classes = self.each[i].argmax(axis=-1)
        found: dict[str, Any] = {
            "image": int(i),
            "true": int(self.labels[i]),
            "predicted": int(self.predicted[i]),
            "confidence": float(self.confidence[i]),
            "probability_of_true": float(self.probabilities[i, self.labels[i]]),
        }
        if self.information is not None:
            found["mutual_information"] = float(self.information[i])
            found["parts"] = [
                {
                    "part": name,
                    "predicted": int(k),
                    "confidence": float(self.each[i, p, k]),
                }
                for p, (name, k) in enumerate(zip(self.parts, classes, strict=True))
            ]
        return found


def galleries(found: Predictions, count: int) -> dict[str, np.ndarray]:
    """The places of the images of each gallery, the first the most striking.

    Args:
        found: `Predictions`.
        count: Integer, the most images of a gallery.

    Returns:
        Dict of integer arrays: `mistakes`, the wrong predictions of highest
        confidence; `unsure`, the predictions of lowest confidence; and, where there
        are several subnetworks, `disagreement`, those of highest mutual information.
    """
    wrong = np.flatnonzero(found.is_wrong)
    chosen = {
        "mistakes": wrong[_first(-found.confidence[wrong], count)],
        "unsure": _first(found.confidence, count),
    }
    if found.information is not None:
        places = _first(-found.information, count)
        chosen["disagreement"] = places[found.information[places] > NOTHING]
    return chosen


def confusion_counts(group: Group, labels: np.ndarray) -> np.ndarray:
    """The confusion matrix `(K, K)`: true classes by predicted classes.

    Args:
        group: `Group`.
        labels: Integer array `(n,)`.
    """
    classes = group.averaged.shape[1]
    counts = np.zeros((classes, classes), int)
    cells = class_scores(group.averaged, labels, None)["confusion"]
    for true, predicted, samples in cells:
        counts[true, predicted] = samples
    return counts


def confusions(counts: np.ndarray, most: int) -> list[dict[str, Any]]:
    """The most frequent confusions, the most frequent first.

    Args:
        counts: Array of `confusion_counts`.
        most: Integer, the length of the list.

    Returns:
        List of dicts: `true`, `predicted`, `samples`, and `share`, of the images of
        the true class.
    """
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = np.stack(np.unravel_index(order, counts.shape), axis=1)
    return [
        {
            "true": int(true),
            "predicted": int(predicted),
            "samples": int(wrong[true, predicted]),
            "share": float(wrong[true, predicted] / counts[true].sum()),
        }
        for true, predicted in pairs
        if wrong[true, predicted]
    ]


def images_of_pair(found: Predictions, true: int, predicted: int) -> np.ndarray:
    """Some images of a class that are taken for another, the surest first.

    Args:
        found: `Predictions`.
        true: Integer, their class.
        predicted: Integer, the other class.
    """
    both = (found.labels == true) & (found.predicted == predicted)
    places = np.flatnonzero(both)
    return places[_first(-found.confidence[places], OF_PAIR)]


def _first(values, count):
    """The places of the smallest values; of equal ones, the first."""
    return np.argsort(values, kind="stable")[:count]
