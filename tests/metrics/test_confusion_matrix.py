import numpy as np
import pytest

from keras_mixvit.metrics import class_accuracy, confusion_matrix
from tests.metrics import plain


def test_by_plain_loops():
    logits, labels = plain.drawn(n=100, members=2)
    expected = np.zeros((5, 5), int)
    for rows, label in zip(logits, labels, strict=True):
        expected[label, plain.order(rows.mean(axis=0))[0]] += 1
    found = confusion_matrix(logits, labels)
    assert found.tolist() == expected.tolist()
    assert found.dtype == "int64"
    accuracies = class_accuracy(logits, labels)
    assert accuracies == pytest.approx(np.diag(expected) / expected.sum(axis=1))


def test_a_class_without_a_sample_and_equal_logits():
    logits, labels = np.zeros((2, 3)), np.array([0, 1], "uint8")
    assert confusion_matrix(logits, labels).tolist() == [[1, 0, 0], [1, 0, 0], [0] * 3]
    found = class_accuracy(logits, labels)
    assert found[:2].tolist() == [1, 0]
    assert np.isnan(found[2])


@pytest.mark.parametrize("function", [confusion_matrix, class_accuracy])
def test_what_does_not_fit_is_refused(function):
    with pytest.raises(ValueError, match=r"`labels` must be in 0 to 1. Received"):
        function([[0.0, 1.0]], [2])
    with pytest.raises(ValueError, match="`logits` must not be NaN"):
        function([[0.0, float("nan")]], [0])
    with pytest.raises(ValueError, match="and not be empty"):
        function(np.zeros((0, 2)), [])
