"""What a report says in a few sentences."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_mixvit.report._scores import in_short, sureness

pytestmark = pytest.mark.one_backend
IMAGES = SimpleNamespace(labels=[0] * 120 + [1] * 80)


def network(name, accuracy, nll, parts=("network",)):
    row = {"accuracy": accuracy, "nll": nll, "calibrated_nll": nll}
    # The confidence of each image is 0.8.
    logits = np.log(np.full((200, 2), [0.8, 0.2]))
    first = SimpleNamespace(parts=list(parts), averaged=logits)
    judged = SimpleNamespace(report=SimpleNamespace(rows=[row]), first=first)
    return SimpleNamespace(name=name, parameters=10, judged=judged)


def run(label, seed=0):
    own = network("mixvit", 0.9, 0.25, ("subnetwork 0", "subnetwork 1"))
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
    assert first == (
        "mixvit, an ensemble of 2 subnetworks, predicts the right class of 90.0\u00a0% "
        "of the 200 images, and a wrong class of 20."
    )
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
    assert sentences[3].startswith("run1: mixvit, an ensemble of 2 subnetworks, pred")


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (0.2, "this difference may be chance (p = 0.20)"),
        (0.05, "this difference may be chance (p = 0.050)"),
        (0.01, "this difference is hardly chance (p = 0.010)"),
        (0.0001, "this difference is hardly chance (p < 0.001)"),
    ],
)
def test_the_exact_test_has_the_last_word(p, words):
    paired = [{"network": "mixvit", "reference": "single_network", "p": p}]
    sentences = in_short(found(run("first")), paired)
    assert sentences[3] == f"Image by image, {words}."
    # Of another network it says nothing.
    other = [{**paired[0], "reference": "single_network + CutMix"}]
    assert len(in_short(found(run("first")), other)) == 4


def test_guessing_is_named_if_no_class_is_the_most_frequent():
    even = SimpleNamespace(labels=[0, 1, 2, 3] * 50)
    case = found(run("first"))
    case.images = even
    assert in_short(case)[1] == "Guessing would be right on 25.0\u00a0%."


def test_whether_a_network_is_as_sure_as_it_is_right():
    own = [network(f"n{i}", right, 1.0) for i, right in enumerate((0.9, 0.7, 0.81))]
    case = found(SimpleNamespace(label="first", networks=own))
    more, less, near = sureness(case)
    assert more == (
        "n0 is not sure enough: its mean confidence is 80.0\u00a0%, and it is right on "
        "90.0\u00a0%."
    )
    assert less.startswith("n1 is too sure: its mean confidence is 80.0\u00a0%, ")
    assert near.startswith("n2 is about as sure as it is right: ")
