"""How certain a prediction is, in plain words."""

import math

import pytest

from keras_mixvit.prediction import Prediction
from keras_mixvit.prediction._plain_words import doubts

pytestmark = pytest.mark.one_backend


def words(classes=4, **changes):
    options = {"entropy": 0.7, "mutual_information": 0.07, "disagreement": 0.0}
    found = Prediction("a.png", ("cat", "dog"), (0.6, 0.4), **{**options, **changes})
    return dict(doubts(found, classes))


@pytest.mark.parametrize(
    ("entropy", "sentence"),
    [
        (0.0, "Sure: 0.000 of at most 1.386 nats, like a fair choice among 1.0 class"),
        (math.log(1.2), "In between: 0.182 of at most 1.386 nats, like a fair choice"),
        (
            math.log(3),
            "Unsure: 1.099 of at most 1.386 nats, like a fair choice among 3.",
        ),
    ],
)
def test_entropy_is_compared_with_the_largest_one(entropy, sentence):
    assert words(entropy=entropy)["Entropy"].startswith(sentence)


def test_one_class_leaves_no_doubt():
    assert words(1, entropy=0.0)["Entropy"].startswith("Sure: 0.000 of at most 0.000")


def test_subnetworks_agree_or_not():
    assert words()["Disagreement"] == "All subnetworks name the same class."
    assert words(disagreement=1.0)["Disagreement"] == (
        "100% of the pairs of subnetworks name different classes: do not trust the "
        "answer alone."
    )


def test_mutual_information_is_a_part_of_the_entropy():
    assert words()["Mutual information"] == (
        "0.070 nats, 10% of the entropy, come from subnetworks that differ."
    )
    assert words(mutual_information=-1e-9)["Mutual information"].startswith("0.000 ")


def test_a_single_network_has_no_rows_of_subnetworks():
    found = words(mutual_information=None, disagreement=None)
    assert list(found) == ["Entropy", "Unlike training"]


@pytest.mark.parametrize(
    ("flag", "begins"), [(None, "Not known: "), (True, "Yes: "), (False, "No: ")]
)
def test_the_flag_is_explained(flag, begins):
    assert words(unlike_training=flag)["Unlike training"].startswith(begins)


@pytest.mark.parametrize(
    ("possible", "text"), [(("cat", "dog"), "cat, dog."), ((), "none.")]
)
def test_possible_classes_are_listed(possible, text):
    assert words(prediction_set=possible)["Possible classes"] == text
