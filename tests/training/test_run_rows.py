import re

import numpy as np
import pytest

from keras_mixvit.backbones import ConViT
from keras_mixvit.data import ImageSet
from keras_mixvit.metrics import accuracy, calibrated_nll, calibration_error, nll
from keras_mixvit.models import MixViT
from keras_mixvit.training._run_rows import conclusion, rows_of
from tests.helpers import numpy


def image_set(shape):
    x = np.random.default_rng(0).normal(2, 3, (6, *shape)).astype("float32")
    return ImageSet(x, np.arange(6) % 3, ("ant", "bee", "cat"))


@pytest.mark.parametrize("ensemble_of", ["logits", "probabilities"])
def test_the_report_has_a_row_for_the_ensemble_and_each_subnetwork(ensemble_of):
    backbone = ConViT((8, 8, 1), 4, 8, 2, 1, 1)
    model = MixViT(backbone, 3, num_subnetworks=3, ensemble_of=ensemble_of)
    found = image_set((8, 8, 1))
    rows = rows_of(model, found, 1.26)
    assert [row["model"] for row in rows] == [
        "mixvit ensemble",
        "mixvit subnetwork 0",
        "mixvit subnetwork 1",
        "mixvit subnetwork 2",
    ]
    assert [row["parameters"] for row in rows] == [model.count_params()] + [None] * 3
    assert [row["seconds"] for row in rows] == [1.3, None, None, None]
    expected = nll(numpy(model(found.images)), found.labels)
    assert rows[0]["nll"] == pytest.approx(expected, rel=1e-5)
    members = numpy(model.inference_network(found.images))
    for m, row in enumerate(rows[1:]):
        assert row["accuracy"] == accuracy(members[:, m], found.labels)
        expected = nll(members[:, m], found.labels)
        assert row["nll"] == pytest.approx(expected, rel=1e-5)
        expected = calibrated_nll(members[:, m], found.labels)
        assert row["calibrated_nll"] == pytest.approx(expected, rel=1e-4)
        expected = calibration_error(members[:, m], found.labels)
        assert row["ece"] == pytest.approx(expected, abs=1e-5)


def test_a_single_image_has_no_calibrated_nll():
    model = MixViT(ConViT((8, 8, 1), 4, 8, 2, 1, 1), 3)
    found = image_set((8, 8, 1))
    one = ImageSet(found.images[:1], found.labels[:1], found.class_names)
    rows = rows_of(model, one, 0.0, name="mine")
    assert rows[0]["model"] == "mine ensemble"
    assert rows[0]["calibrated_nll"] is None


def row(model, accuracy, nll_c=None, nll=1.0, parameters=7):
    return {
        "model": model,
        "parameters": parameters,
        "accuracy": accuracy,
        "nll": nll,
        "calibrated_nll": nll_c,
    }


SINGLE = row("single_network", 0.90, 0.3)
CUTMIX = row("single_network + CutMix", 0.92, 0.25)
PART = row("cut_mixmo subnetwork 0", 0.5, 0.9, parameters=None)


@pytest.mark.parametrize(
    ("baselines", "own", "expected"),
    [
        (
            [SINGLE, CUTMIX],
            (0.93, 0.2),
            "cut_mixmo is right on 2 more of 200 images than single_network + CutMix, "
            "and its NLL_c is 0.050 lower, which is better; single_network, without "
            "CutMix, is right on 6 fewer.",
        ),
        (
            [row("single_network", 0.92, 0.3), CUTMIX],
            (0.92, 0.25),
            "cut_mixmo is right on as many of 200 images as single_network + CutMix, "
            "and its NLL_c is the same; single_network, without CutMix, is right on as "
            "many.",
        ),
        (
            [SINGLE],
            (0.84, 0.35),
            "cut_mixmo is right on 12 fewer of 200 images than single_network, and its "
            "NLL_c is 0.050 higher, which is worse.",
        ),
        (
            [SINGLE],
            (0.90, 0.3),
            "cut_mixmo is right on as many of 200 images as single_network, and its "
            "NLL_c is the same.",
        ),
        # Older runs have no NLL_c.
        (
            [row("single_network", 0.9)],
            (0.90, None),
            "cut_mixmo is right on as many of 200 images as single_network, and its "
            "NLL is the same.",
        ),
        # A true class of probability 0 has an infinite one.
        (
            [row("single_network", 0.9, np.inf)],
            (0.905, 0.2),
            "cut_mixmo is right on 1 more of 200 images than single_network.",
        ),
    ],
)
def test_a_run_is_compared_with_the_baseline_that_mixes(baselines, own, expected):
    first, second = conclusion([*baselines, row("cut_mixmo", *own), PART], lambda: 200)
    assert first == expected
    share = (200 * own[0] + 2) / 204
    error = 100 * np.sqrt(share * (1 - share) / 204)
    (told,) = re.findall(r"200 images the standard error is (.*) points", second)
    assert float(told) == pytest.approx(error, abs=0.05)


def test_few_images_say_nothing_about_nll_and_never_prove_perfection():
    rows = [row("single_network", 1.0, 0.9), row("cut_mixmo", 1.0, 0.3), PART]
    first, second = conclusion(rows, lambda: 12)
    assert first == "cut_mixmo is right on as many of 12 images as single_network."
    error = 100 * np.sqrt(14 / 16 * 2 / 16 / 16)
    assert f"is {error:.1f} points of accuracy" in second
    assert "NLL_c" in conclusion(rows, lambda: 200)[0]


@pytest.mark.parametrize("rows", [[row("cut_mixmo", 0.9), PART], [SINGLE], []])
def test_without_a_baseline_there_is_no_conclusion(rows):
    assert conclusion(rows, lambda: 200) == []
