"""Areas under the risk-coverage curve, by hand."""

import numpy as np
import pytest

from keras_mixvit.metrics import aurc, excess_aurc
from tests.metrics import plain
from tests.metrics.test_risk_coverage import logits_of


def test_by_hand():
    # In order of confidence: right, wrong, right, wrong.
    case = logits_of([0.6, 0.9, 0.7, 0.8]), [1, 0, 0, 1]
    area = (0 + 1 / 2 + 1 / 3 + 2 / 4) / 4
    best = (0 + 0 + 1 / 3 + 2 / 4) / 4
    assert aurc(*case) == pytest.approx(area)
    assert excess_aurc(*case) == pytest.approx(area - best)


def test_all_right_and_all_wrong():
    logits = logits_of([0.6, 0.9, 0.7])
    assert (aurc(logits, [0, 0, 0]), excess_aurc(logits, [0, 0, 0])) == (0, 0)
    assert (aurc(logits, [1, 1, 1]), excess_aurc(logits, [1, 1, 1])) == (1, 0)


def test_the_best_area_is_near_the_paper_s_approximation():
    logits, labels = plain.drawn(n=20000, classes=3)
    share = 1 - plain.accuracy(logits[:2000], labels[:2000])
    best = aurc(logits, labels) - excess_aurc(logits, labels)
    assert best == pytest.approx(share + (1 - share) * np.log(1 - share), abs=0.01)


def test_excess_does_not_become_negative():
    logits = logits_of(np.linspace(0.55, 0.95, 501))
    labels = (np.arange(501) < 100).astype(int)
    assert excess_aurc(logits, labels) == 0
