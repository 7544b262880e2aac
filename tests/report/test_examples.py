import numpy as np
import pytest

from keras_mixvit.evaluation._predicted import Group
from keras_mixvit.metrics import ood_scores
from keras_mixvit.report._examples import (
    Predictions,
    confusion_counts,
    confusions,
    galleries,
    images_of_pair,
    softmax,
)

pytestmark = pytest.mark.one_backend

RNG = np.random.default_rng(0)
LABELS = RNG.integers(4, size=60)
EACH = 2 * RNG.normal(size=(60, 2, 4)).astype("float32")


def group(each=EACH):
    parts = [f"subnetwork {m}" for m in range(each.shape[1])]
    return Group(None, "ensemble", parts, each.mean(axis=1), each)


@pytest.fixture
def found():
    return Predictions.of(group(), LABELS)


def test_galleries_are_in_the_order_of_their_scores(found):
    shares = softmax(EACH.mean(axis=1))
    confidence, wrong = shares.max(axis=1), shares.argmax(axis=1) != LABELS
    chosen = galleries(found, 5)
    surest = sorted(np.flatnonzero(wrong), key=lambda i: -confidence[i])
    assert chosen["mistakes"].tolist() == surest[:5]
    unsure = sorted(range(60), key=lambda i: confidence[i])
    assert chosen["unsure"].tolist() == unsure[:5]
    information = ood_scores(EACH)["mutual_information"]
    apart = sorted(range(60), key=lambda i: -information[i])
    assert chosen["disagreement"].tolist() == apart[:5]


def test_what_is_said_of_an_image(found):
    about = found.about(7)
    shares, each = softmax(EACH.mean(axis=1))[7], softmax(EACH[7])
    assert (about["image"], about["true"]) == (7, LABELS[7])
    assert about["predicted"] == shares.argmax()
    assert about["confidence"] == pytest.approx(shares.max())
    assert about["probability_of_true"] == pytest.approx(shares[LABELS[7]])
    assert [part["predicted"] for part in about["parts"]] == each.argmax(-1).tolist()
    given = [part["confidence"] for part in about["parts"]]
    assert given == pytest.approx(each.max(axis=-1).tolist())


def test_one_network_has_no_disagreement():
    found = Predictions.of(group(EACH[:, :1]), LABELS)
    assert list(galleries(found, 3)) == ["mistakes", "unsure"]
    assert "parts" not in found.about(0)


def test_subnetworks_that_agree_are_no_disagreement():
    same = np.repeat(EACH[:, :1], 2, axis=1)
    chosen = galleries(Predictions.of(group(same), LABELS), 3)
    assert chosen["disagreement"].size == 0


def test_without_mistakes_there_are_none():
    right = 9.0 * np.eye(4, dtype="float32")[LABELS][:, None]
    found = Predictions.of(group(right), LABELS)
    assert galleries(found, 3)["mistakes"].size == 0
    assert confusions(confusion_counts(group(right), LABELS), 9) == []


def test_confusions_are_counted(found):
    counts = confusion_counts(group(), LABELS)
    expected = np.zeros((4, 4), int)
    np.add.at(expected, (LABELS, EACH.mean(axis=1).argmax(axis=1)), 1)
    np.testing.assert_array_equal(counts, expected)
    listed = confusions(counts, 100)
    assert sum(pair["samples"] for pair in listed) == found.is_wrong.sum()
    samples = [pair["samples"] for pair in listed]
    assert samples == sorted(samples, reverse=True)
    for pair in listed:
        true, predicted = pair["true"], pair["predicted"]
        assert true != predicted
        assert pair["samples"] == expected[true, predicted]
        share = expected[true, predicted] / expected[true].sum()
        assert pair["share"] == pytest.approx(share)
        places = images_of_pair(found, true, predicted)
        assert len(places) == min(4, pair["samples"])
        assert (LABELS[places] == true).all()
        assert (found.predicted[places] == predicted).all()
        assert (np.diff(found.confidence[places]) <= 0).all()
    assert len(confusions(counts, 2)) == 2
