"""The command's own training, as a user runs it, on three seeds."""

import pytest

from keras_mixvit.recipes import Recipe
from keras_mixvit.training import train


@pytest.mark.slow
def test_ensemble_is_no_worse_than_the_single_network_on_digits(tmp_path):
    lines, differences = [], []
    for seed in range(3):
        _, rows = train(Recipe(seed=seed), str(tmp_path / str(seed)), verbose=0)
        single, ensemble, *members = (row["accuracy"] for row in rows)
        differences.append(ensemble - single)
        lines.append(f"seed {seed}: {single:.3f} {ensemble:.3f} {members}")
    print("\n".join(lines))
    assert min(differences) >= -0.01
