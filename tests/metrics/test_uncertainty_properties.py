"""Metrics of uncertainty, for any predictions: ties, one class, huge logits."""

import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit import metrics
from keras_mixvit.metrics import ConformalSets
from tests.metrics.cases import SEEDS, predictions
from tests.metrics.test_ood_detection import plain_detection
from tests.metrics.test_weighted_scores import require_scores
from tests.properties import holds

pytestmark = pytest.mark.one_backend


def close(found, expected, tolerance=1e-9):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@holds(few=40, many=2000, drawn=predictions(), risk=st.floats(0, 0.99))
def test_the_curve_and_its_scores_agree(drawn, risk):
    coverage, risks = metrics.risk_coverage(*drawn)
    n = len(drawn[1])
    errors = risks * np.arange(1, n + 1)
    assert (np.diff(errors, prepend=0) >= -1e-9).all()
    assert (np.diff(errors, prepend=0) <= 1 + 1e-9).all()
    close(risks[-1], 1 - metrics.accuracy(*drawn))
    close(metrics.aurc(*drawn), risks.mean())
    assert 0 <= metrics.excess_aurc(*drawn) <= metrics.aurc(*drawn) + 1e-12
    for share in coverage:
        place = round(share * n) - 1
        close(metrics.risk_at_coverage(*drawn, share), risks[place])
    reached = metrics.coverage_at_risk(*drawn, risk)
    assert reached == max(
        [c for c, r in zip(coverage, risks, strict=True) if r <= risk], default=0
    )


@holds(few=30, many=1500, drawn=predictions(), seed=SEEDS, bins=st.integers(1, 20))
def test_weighted_scores_are_those_of_repeated_samples(drawn, seed, bins):
    logits, labels = drawn
    n = len(labels)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=2)
    require_scores(logits, labels, counts.astype("uint8"), bins)


@holds(
    few=40,
    many=2000,
    known=st.lists(st.integers(0, 6), min_size=1, max_size=25),
    unknown=st.lists(st.integers(0, 9), min_size=1, max_size=25),
    tpr=st.floats(0.01, 1),
    positive=st.sampled_from(["in", "out"]),
)
def test_detection_is_the_plain_loops(known, unknown, tpr, positive):
    found = metrics.ood_detection(known, unknown, tpr, positive)
    expected = plain_detection(known, unknown, tpr, positive)
    close(list(found.values()), list(expected.values()))
    other = metrics.ood_detection(np.negative(unknown), np.negative(known))
    close(other["auroc"], found["auroc"])
    close(other["aupr_in"], found["aupr_out"])


@holds(few=40, many=2000, drawn=predictions(st.integers(2, 4), most=20))
def test_scores_are_within_their_bounds(drawn):
    logits, _ = drawn
    classes = logits.shape[2]
    found = metrics.ood_scores(logits)
    assert (found["max_probability"] >= 0).all()
    assert (found["max_probability"] <= 1 - 1 / classes + 1e-12).all()
    for name in ("entropy", "mutual_information"):
        assert (found[name] >= 0).all()
        assert (found[name] <= np.log(classes) + 1e-9).all()
    close(found["disagreement"].mean(), metrics.disagreement(logits))


@holds(
    few=40,
    many=2000,
    drawn=predictions(),
    method=st.sampled_from(["lac", "aps", "raps"]),
    coverage=st.floats(0.01, 0.99),
    randomised=st.booleans(),
    seed=SEEDS,
)
def test_sets_hold_the_true_classes_of_the_fit(
    drawn, method, coverage, randomised, seed
):
    logits, labels = drawn
    fitted = ConformalSets.fit(
        logits, labels, method, coverage, randomised=randomised, seed=seed
    )
    assert ConformalSets.from_dict(fitted.to_dict()) == fitted
    sets = fitted.predict(logits)
    sizes, hits = fitted.sizes_and_hits(logits, labels)
    assert (sets.sum(axis=1) == sizes).all()
    assert (sets[np.arange(len(labels)), labels] == hits).all()
    found = metrics.set_scores(sets, labels)
    close(found["coverage"], hits.mean())
    if method == "lac" or not randomised:
        # k of n samples of the fit are at most at the threshold.
        n = len(labels)
        assert hits.sum() >= min(n, np.ceil(coverage * (n + 1) - 1e-9))
    # A class is in the set if a less likely one is.
    exact = logits.astype("float64")
    for row, chosen in zip(exact, sets, strict=True):
        if chosen.any() and not chosen.all():
            assert row[chosen].min() >= row[~chosen].max() - 1e-9 * abs(row).max()


@holds(few=30, many=1000, drawn=predictions(), bins=st.integers(1, 20))
def test_classwise_error_is_within_its_bounds(drawn, bins):
    error = metrics.classwise_calibration_error(*drawn, bins)
    assert -1e-12 <= error <= 1 + 1e-12
    logits, labels = drawn
    if logits.shape[1] == 2:
        # Both classes are as far off where bins are symmetric and none is on an edge.
        close(
            metrics.classwise_calibration_error(logits[:, ::-1], 1 - labels, 1),
            metrics.classwise_calibration_error(logits, labels, 1),
        )


@holds(
    few=25, many=500, drawn=predictions(most=20), penalty=st.sampled_from([0.5, 1.0])
)
def test_vector_scaling_is_finite_and_no_worse(drawn, penalty):
    logits, labels = drawn
    if np.abs(logits).max() > 1e4:
        return
    factors, offsets = metrics.fit_vector_scaling(logits, labels, penalty)
    assert np.isfinite([factors, offsets]).all()
    temperature = metrics.fit_temperature(logits, labels)
    start = 1 / temperature if 0 < temperature < np.inf else 1.0
    exact = logits.astype("float64")
    before = metrics.nll(start * exact, labels)
    assert metrics.nll(factors * exact + offsets, labels) <= before + 1e-9


@holds(
    few=25,
    many=500,
    drawn=predictions(st.integers(2, 3), most=20),
    kind=st.sampled_from(["logits", "probabilities"]),
)
def test_temperatures_of_subnetworks_are_positive_or_those_of_the_mean(drawn, kind):
    logits, labels = drawn
    found = metrics.fit_subnetwork_temperatures(logits, labels, kind)
    common = metrics.fit_temperature(logits, labels)
    if 0 < common < np.inf:
        assert (found > 0).all()
        assert np.isfinite(found).all()
    else:
        assert (found == common).all()
