import numpy as np
import pytest

from keras_mixvit.metrics import set_scores

SETS = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 1]], bool)


def test_by_hand():
    found = set_scores(SETS, [0, 1, 1, 0])
    assert (found["coverage"], found["mean_size"], found["empty"]) == (0.75, 1.5, 0.25)
    assert found["class_coverage"][:2].tolist() == [1, 0.5]
    assert found["class_size"][:2].tolist() == [2, 1]
    # No image of the third class.
    assert np.isnan(found["class_coverage"][2])
    assert np.isnan(found["class_size"][2])


@pytest.mark.parametrize(
    ("sets", "labels", "message"),
    [
        (SETS.astype(int), [0] * 4, r"`sets` must be booleans of shape \(n, K\)"),
        (SETS[0], [0] * 3, r"`sets` must be booleans of shape \(n, K\)"),
        (SETS[:0], [], "and not be empty. Received: dtype='bool', shape="),
        (SETS, [0] * 3, "`labels` must be one integer for each set. Received"),
        (SETS, [0.0] * 4, "`labels` must be one integer for each set"),
        (SETS, [0, 1, 2, 3], r"`labels` must be in 0 to 2. Received: range=\(0, 3\)"),
        (SETS, [0, 1, 2, -1], r"`labels` must be in 0 to 2. Received: range=\(-1, 2\)"),
    ],
)
def test_what_does_not_fit_is_refused(sets, labels, message):
    with pytest.raises(ValueError, match=message):
        set_scores(sets, labels)
