import itertools

import numpy as np
import pytest

from keras_mixvit.analysis import ood_histograms
from keras_mixvit.metrics import ood_detection, ood_scores
from tests.analysis.figures import assert_saves

pytest.importorskip("matplotlib")

RNG = np.random.default_rng(0)
KNOWN = ood_scores(3 * RNG.normal(size=(200, 2, 5)))
OOD = {
    "noise": ood_scores(RNG.normal(size=(50, 2, 5))),
    "far": ood_scores(0.1 * RNG.normal(size=(80, 2, 5))),
}


def test_panels_are_the_shares_of_images(tmp_path):
    figure, numbers = ood_histograms(KNOWN, OOD, bins=12)
    assert list(numbers) == list(KNOWN)
    for axes, (score, found) in zip(figure.axes, numbers.items(), strict=False):
        assert axes.get_xlabel() == score.replace("_", " ")
        edges = found["edges"]
        both = np.concatenate([KNOWN[score], *(each[score] for each in OOD.values())])
        np.testing.assert_allclose(edges, np.linspace(both.min(), both.max(), 13))
        patches = list(axes.patches)
        assert [patch.get_label() for patch in patches] == ["known", *OOD]
        sets = [KNOWN[score], *(each[score] for each in OOD.values())]
        for patch, values in zip(patches, sets, strict=True):
            inside = [
                np.mean((values >= low) & ((values < high) | (high == edges[-1])))
                for low, high in itertools.pairwise(edges)
            ]
            np.testing.assert_allclose(patch.get_data().values, 100 * np.array(inside))
        for name, scores in OOD.items():
            expected = ood_detection(KNOWN[score], scores[score])["auroc"]
            assert found["auroc"][name] == expected
            assert f"{expected:.3f}" in axes.get_title()
            assert found["ood"][name].sum() == pytest.approx(1)
    # Five scores leave one place of the grid.
    assert [axes.axison for axes in figure.axes] == [True] * 5 + [False]
    assert_saves(figure, tmp_path)


def test_one_score_of_one_value_is_drawn(tmp_path):
    known, other = {"entropy": [1.0, 1.0]}, {"same": {"entropy": [1.0]}}
    figure, numbers = ood_histograms(known, other)
    assert numbers["entropy"]["auroc"]["same"] == 0.5
    assert_saves(figure, tmp_path)


@pytest.mark.parametrize(
    ("known", "ood", "bins", "text"),
    [
        ({}, OOD, 30, r"`known` must not be empty\. Received: scores=\[\]"),
        (KNOWN, {}, 30, r"`ood` must not be empty\. Received: sets=\[\]"),
        (
            {"entropy": [1.0]},
            {"far": {"energy": [1.0]}},
            30,
            r"`ood` must have the scores of `known` for every set\. Received: "
            r"set='far', scores=\['energy'\], known=\['entropy'\]",
        ),
        (KNOWN, OOD, 0, r"`bins` must be an integer of at least 1\. Received: bins=0"),
    ],
)
def test_scores_that_do_not_fit_are_refused(known, ood, bins, text):
    with pytest.raises(ValueError, match=text):
        ood_histograms(known, ood, bins)
