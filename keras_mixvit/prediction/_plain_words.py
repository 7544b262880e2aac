"""How certain a prediction is, in plain words."""

import math

from keras_mixvit.prediction._prediction import Prediction

# Below this share of the largest entropy, and above it.
SURE, UNSURE = 0.1, 0.4


def doubts(found: Prediction, classes: int) -> list[tuple[str, str]]:
    """Names of what is measured, each with a sentence.

    Args:
        found: `Prediction` without an error.
        classes: Integer, the number K of classes.
    """
    rows = [("Entropy", _entropy(found.entropy or 0.0, classes))]
    if found.disagreement is not None:
        rows.append(("Disagreement", _disagreement(found.disagreement)))
    if found.mutual_information is not None:
        rows.append(("Mutual information", _information(found)))
    rows.append(("Unlike training", _unlike(found.unlike_training)))
    if found.prediction_set is not None:
        listed = ", ".join(found.prediction_set) or "none"
        rows.append(("Possible classes", f"{listed}."))
    return rows


def _entropy(entropy, classes):
    share = entropy / math.log(classes) if classes > 1 else 0.0
    word = "In between"
    if share < SURE:
        word = "Sure"
    elif share > UNSURE:
        word = "Unsure"
    return (
        f"{word}: {entropy:.3f} of at most {math.log(classes):.3f} nats, like a fair "
        f"choice among {math.exp(entropy):.1f} classes."
    )


def _disagreement(disagreement):
    if disagreement == 0:
        return "All subnetworks name the same class."
    return (
        f"{disagreement:.0%} of the pairs of subnetworks name different classes: "
        "do not trust the answer alone."
    )


def _information(found):
    # A rounding may make it negative.
    information = max(found.mutual_information, 0.0)
    share = information / found.entropy if found.entropy else 0.0
    return (
        f"{information:.3f} nats, {min(share, 1):.0%} of the entropy, come from "
        "subnetworks that differ."
    )


def _unlike(unlike):
    if unlike is None:
        return "Not known: there are no validation images to compare with."
    if unlike:
        return (
            "Yes: it is stranger than 95 % of the validation images. The answer may be "
            "wrong although it looks sure."
        )
    return (
        "No: its score is like those of 95 % of the validation images. The score does "
        "not find every strange image."
    )
