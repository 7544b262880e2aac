"""What a report says in a few sentences."""

from types import SimpleNamespace

import pytest

from keras_mixvit.report._scores import in_short

pytestmark = pytest.mark.one_backend
IMAGES = SimpleNamespace(labels=[0] * 120 + [1] * 80)


def network(name, accuracy, nll):
    row = {"accuracy": accuracy, "nll": nll, "calibrated_nll": nll}
    judged = SimpleNamespace(report=SimpleNamespace(rows=[row]))
    return SimpleNamespace(name=name, parameters=10, judged=judged)


def run(label, seed=0):
    own = network("mixvit", 0.9, 0.25)
    networks = [network("single_network", 0.85, 0.5), own]
    recipe = SimpleNamespace(seed=seed)
    settings = SimpleNamespace(recipe=recipe)
    return SimpleNamespace(label=label, own=own, networks=networks, settings=settings)


def found(*runs):
    def name(run, network):
        return f"{run.label}: {network}" if len(runs) > 1 else network

    return SimpleNamespace(runs=list(runs), images=IMAGES, name=name)


def test_one_run_is_compared_with_its_baseline():
    first, chance, second, caution = in_short(found(run("first")))
    assert "of the 200 images, and a wrong class of 20." in first
    assert chance.endswith("would be right on 60.0\u00a0%.")
    assert second == (
        "mixvit is right on 10 more of 200 images than single_network, and its NLL_c "
        "is 0.250 lower, which is better."
    )
    assert caution.startswith("This is one seed, and with 200 images the standard")


@pytest.mark.parametrize(
    ("seeds", "start"),
    [
        ((3, 3), "All of these trainings have the seed 3: "),
        ((0, 1), "Each of these trainings has one seed: "),
    ],
)
def test_several_runs_end_with_a_caution_about_seeds(seeds, start):
    runs = [run(f"run{place}", seed) for place, seed in enumerate(seeds)]
    sentences = in_short(found(*runs))
    assert len(sentences) == 6
    assert sentences[-1].startswith(start)
    assert sentences[3].startswith("run1: mixvit predicts")
