"""The tables beside the charts of a report."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from keras_mixvit.report._charts import ood_chart

pytestmark = pytest.mark.one_backend


@pytest.mark.parametrize(("largest", "decimals"), [(1.0, 3), (0.01, 4), (1e-4, 6)])
def test_edges_of_bins_are_told_apart(largest, decimals):
    rng = np.random.default_rng(0)
    known = {"mutual_information": rng.uniform(0, largest, 200)}
    other = {"noise": {"mutual_information": rng.uniform(0, largest, 100)}}
    chart = ood_chart("ood", known, other)
    names = [row[0] for row in chart.tables[0].rows]
    assert len(set(names)) == len(names)
    for name in names:
        low, high = name.split(" to ")
        assert low != high
        assert len(low.partition(".")[2]) == decimals
