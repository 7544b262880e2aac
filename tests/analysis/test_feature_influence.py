import numpy as np
import pytest

from keras_mixvit.analysis import feature_influence
from keras_mixvit.layers import SubnetworkHeads
from tests.analysis.figures import assert_saves, labels_of
from tests.helpers import numpy

pytest.importorskip("matplotlib")


def kernel(members, features=5, classes=3, seed=0):
    return np.random.default_rng(seed).normal(size=(members, features, classes))


def test_influence_is_the_l1_norm_of_a_feature_over_the_largest_of_its_head(tmp_path):
    weights = kernel(2)
    figure, numbers = feature_influence({"mine": weights})
    found = numbers["mine"]
    for m in range(2):
        norms = [sum(abs(weights[m, j, k]) for k in range(3)) for j in range(5)]
        np.testing.assert_allclose(found["norms"][m], norms, rtol=1e-6)
        np.testing.assert_allclose(
            found["influence"][m], np.array(norms) / max(norms), rtol=1e-6
        )
    (points,) = figure.axes[0].collections
    np.testing.assert_allclose(points.get_offsets(), found["influence"].T, rtol=1e-6)
    np.testing.assert_allclose(points.get_array(), found["evenness"])
    assert labels_of(figure) == {
        ("influence on subnetwork 0", "influence on subnetwork 1")
    }
    assert figure.axes[-1].get_ylabel() == "smaller / larger influence"
    assert_saves(figure, tmp_path)


def test_evenness_tells_shared_features_from_those_of_one_subnetwork():
    # Four features: shared, of the first, of the second, of nobody.
    weights = np.zeros((2, 4, 2))
    weights[0, [0, 1]] = 1.0
    weights[1, [0, 2]] = 3.0
    _, numbers = feature_influence({"mine": weights})
    np.testing.assert_array_equal(numbers["mine"]["evenness"], [1, 0, 0, 1])


def test_every_pair_of_subnetworks_of_every_model_has_a_panel(tmp_path):
    figure, numbers = feature_influence({"two": kernel(2), "three": kernel(3)})
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["two"] + 3 * ["three"]
    assert [axes.get_ylabel()[-1] for axes in panels] == ["1", "1", "2", "2"]
    # A pair is coloured by itself, not by the third subnetwork.
    pair = numbers["three"]["influence"][[0, 1]]
    np.testing.assert_allclose(
        panels[1].collections[0].get_array(), pair.min(0) / pair.max(0)
    )
    assert_saves(figure, tmp_path)


def test_kernels_of_heads_on_every_backend_are_taken():
    heads = SubnetworkHeads(3, 2, dtype="mixed_bfloat16")
    heads.build((None, 4))
    _, numbers = feature_influence({"heads": heads.kernel})
    expected = np.abs(numpy(heads.kernel)).sum(-1)
    np.testing.assert_allclose(numbers["heads"]["norms"], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("kernels", "text"),
    [
        ({}, "`kernels` must not be empty. Received: kernels={}"),
        (
            {"one": kernel(1)},
            r"`kernels` must have shape \(M, f, K\) with M of at least 2. Received: "
            r"shape=\(1, 5, 3\)",
        ),
        (
            {"flat": kernel(2)[0]},
            r"`kernels` must have shape .* Received: shape=\(5, 3\)",
        ),
        (
            {"dead": kernel(2) * [[[1.0]], [[0.0]]]},
            "`kernels` must have weights other than 0 in every head. Received: "
            r"largest=\[.*, 0.0\]",
        ),
    ],
)
def test_bad_kernels_are_refused(kernels, text):
    with pytest.raises(ValueError, match=text):
        feature_influence(kernels)
