"""What `evaluate` computes on request, against the functions of the metrics."""

import json

import keras
import numpy as np
import pytest

from keras_mixvit import metrics
from keras_mixvit.data import ImageSet
from keras_mixvit.evaluation import evaluate
from keras_mixvit.metrics import ConformalSets
from keras_mixvit.metrics._resamples import Resamples
from keras_mixvit.models import Ensemble
from tests.evaluation.linear import Linear
from tests.helpers import images, numpy
from tests.metrics.test_weighted_scores import scores_of

SHAPE = (8, 8, 1)
IMAGES, LABELS = images(60, SHAPE), np.arange(60) % 4
HELD_OUT = images(50, SHAPE, 1), np.arange(50) % 4
OTHERS = images(30, SHAPE, 2) - 0.5
CLASSES = ("ant", "bee", "cat", "dog")
THOROUGH = ["classwise_ece", "calibrated_nll_vector", "calibrated_nll_subnetworks"]


class Batches(keras.utils.PyDataset):
    """Images in two batches."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return (OTHERS[15 * index : 15 * index + 15],)


def linear(members=2, seed=0, **options):
    model = Linear(SHAPE, 4, members, seed, **options)
    # Not too sure, so that no score is at the end of its range.
    model.heads.kernel.assign(0.2 * numpy(model.heads.kernel))
    return model


def predicted(model, x=IMAGES):
    return numpy(model.inference_network(x))


def close(value):
    return pytest.approx(value, rel=1e-4, abs=1e-5, nan_ok=True)


@pytest.fixture(scope="module")
def everything():
    model = linear()
    ood = {"others": OTHERS, "batches": Batches()}
    ood["set"] = ImageSet(OTHERS, np.zeros(30, int), CLASSES)
    options = {"thorough": True, "ood": ood, "held_out": HELD_OUT, "bootstrap": 30}
    report = evaluate(model, (IMAGES, LABELS), bins=7, seed=3, verbose=0, **options)
    return model, report


def test_further_scores_of_ensembles(everything):
    model, report = everything
    members = predicted(model)
    mean = members.mean(axis=1)
    first, *parts = report.rows
    expected = {
        "classwise_ece": metrics.classwise_calibration_error(mean, LABELS, 7),
        "calibrated_nll_vector": metrics.calibrated_nll(mean, LABELS, 3, "vector"),
        "calibrated_nll_subnetworks": metrics.calibrated_nll(
            members, LABELS, 3, "subnetworks"
        ),
    }
    assert {name: first[name] for name in THOROUGH} == close(expected)
    for m, row in enumerate(parts):
        assert [row[name] for name in THOROUGH] == [None] * 3
        assert row["aurc"] == close(metrics.aurc(members[:, m], LABELS))


def test_classes_of_the_first_row(everything):
    model, report = everything
    mean = predicted(model).mean(axis=1)
    found = report.classes
    assert found["samples"] == [15] * 4
    assert found["accuracy"] == metrics.class_accuracy(mean, LABELS).tolist()
    matrix = np.zeros((4, 4), int)
    for true, chosen, count in found["confusion"]:
        assert count > 0
        matrix[true, chosen] = count
    assert matrix.tolist() == metrics.confusion_matrix(mean, LABELS).tolist()
    counts = Resamples(60, 30, 3).counts
    right = mean.argmax(axis=1) == LABELS
    for k, interval in enumerate(found["intervals"]["accuracy"]):
        values = [
            np.average(right[k == LABELS], weights=row[k == LABELS]) for row in counts
        ]
        expected = np.quantile(values, [0.025, 0.975], method="nearest")
        assert interval == close(expected.tolist())


def test_images_out_of_the_distribution(everything):
    model, report = everything
    known = metrics.ood_scores(predicted(model))
    unknown = metrics.ood_scores(predicted(model, OTHERS))
    assert len(report.ood) == 15
    for row, (name, score) in zip(
        report.ood,
        [(name, score) for name in ("others", "batches", "set") for score in known],
        strict=True,
    ):
        assert (row["set"], row["score"], row["samples"]) == (name, score, 30)
        assert (row["inference"], row["part"]) == (None, "ensemble")
        expected = metrics.ood_detection(known[score], unknown[score])
        assert {key: row[key] for key in expected} == close(expected)
        for low, high in row["intervals"].values():
            assert 0 <= low <= high <= 1


def test_conformal_sets_of_held_out_images(everything):
    model, report = everything
    held_out = predicted(model, HELD_OUT[0]).mean(axis=1)
    mean = predicted(model).mean(axis=1)
    methods = [row["method"] for row in report.conformal]
    assert methods == ["lac", "aps", "raps"]
    for row in report.conformal:
        fitted = ConformalSets.from_dict(row["fitted"])
        expected = ConformalSets.fit(held_out, HELD_OUT[1], row["method"], seed=3)
        assert fitted.threshold == close(expected.threshold)
        scores = metrics.set_scores(fitted.predict(mean), LABELS)
        for name, value in scores.items():
            assert row[name] == close(np.asarray(value).tolist()), name
        assert set(row["intervals"]) == {"coverage", "mean_size", "empty"}
        low, high = row["intervals"]["coverage"]
        assert low <= row["coverage"] <= high


def test_intervals_are_those_of_resampled_images(everything):
    model, report = everything
    members = predicted(model)
    counts = Resamples(60, 30, 3).counts
    every = (members.mean(axis=1), members[:, 0], members[:, 1])
    for row, logits in zip(report.rows, every, strict=True):
        values = [scores_of(logits.repeat(n, 0), LABELS.repeat(n), 7) for n in counts]
        for name in values[0]:
            expected = np.quantile(
                [x[name] for x in values], [0.025, 0.975], method="nearest"
            )
            assert row["intervals"][name] == close(expected.tolist()), name
    intervals = report.rows[0]["intervals"]
    left_out = {"temperature", "inference", "part", "intervals"}
    assert set(intervals) == set(report.rows[0]) - left_out
    repeated = [(members.repeat(n, 0), LABELS.repeat(n)) for n in counts]
    for name, function in {
        "ratio_error": metrics.ratio_error,
        "disagreement": lambda x, y: metrics.disagreement(x),
        "pairwise_kl": lambda x, y: metrics.pairwise_kl(x),
        "classwise_ece": lambda x, y: metrics.classwise_calibration_error(x, y, 7),
    }.items():
        values = [function(*case) for case in repeated]
        expected = np.quantile(values, [0.025, 0.975], method="nearest")
        assert intervals[name] == close(expected.tolist()), name
    for name in ("calibrated_nll", *THOROUGH[1:]):
        low, high = intervals[name]
        assert low < report.rows[0][name] < high


def test_the_report_is_json_and_its_tables_are_read(everything):
    from rich.console import Console

    _, report = everything
    content = json.loads(report.to_json())
    assert set(content) == {"model", "samples", "rows", "ood", "conformal", "classes"}
    console, texts = Console(width=150), []
    for table in report.tables():
        with console.capture() as capture:
            console.print(table)
        texts.append(capture.get())
    assert len(texts) == 5
    for text, words in zip(
        texts,
        [
            ("top 1 %", "subnetwork 1"),
            ("e-AURC", "risk at coverage 80 %", "NLL_c, vector"),
            ("95 % bootstrap intervals", "coverage at risk 5 %", "KL"),
            ("AUPR-out", "mutual_information", "batches", "FPR at TPR 95 %"),
            ("for a coverage of 90 %", "mean size", "raps"),
        ],
        strict=True,
    ):
        assert all(word in text for word in words)
        assert "…" not in text
    assert "AURC" not in texts[0]


def test_nothing_more_is_computed_unless_asked():
    report = evaluate(linear(1), (IMAGES, LABELS), verbose=0)
    assert (report.ood, report.conformal, report.classes) == ([], [], None)
    assert set(report.to_dict()) == {"model", "samples", "rows"}
    assert len(report.tables()) == 1
    assert not {*THOROUGH, "intervals"} & set(report.rows[0])


def test_one_network_has_no_scores_of_subnetworks():
    report = evaluate(
        linear(1), (IMAGES, LABELS), verbose=0, thorough=True, ood={"others": OTHERS}
    )
    scores = [row["score"] for row in report.ood]
    assert scores == ["max_probability", "entropy", "energy"]
    (row,) = report.rows
    assert row["calibrated_nll_subnetworks"] is None
    assert row["calibrated_nll_vector"] > 0


def test_averaged_probabilities_have_the_energy_of_their_subnetworks():
    model = linear(ensemble_of="probabilities")
    options = {"ood": {"others": OTHERS}, "thorough": True, "verbose": 0}
    report = evaluate(model, (IMAGES, LABELS), **options)
    members = predicted(model)
    shares = np.exp(members) / np.exp(members).sum(axis=-1, keepdims=True)
    logs = np.log(shares.mean(axis=1))
    known = metrics.ood_scores(members) | {
        name: values
        for name, values in metrics.ood_scores(logs).items()
        if name != "energy"
    }
    others = predicted(model, OTHERS)
    shares = np.exp(others) / np.exp(others).sum(axis=-1, keepdims=True)
    unknown = metrics.ood_scores(others) | {
        name: values
        for name, values in metrics.ood_scores(np.log(shares.mean(axis=1))).items()
        if name != "energy"
    }
    for row in report.ood:
        score = row["score"]
        expected = metrics.ood_detection(known[score], unknown[score])
        assert row["auroc"] == close(expected["auroc"])
    found = report.rows[0]["calibrated_nll_subnetworks"]
    expected = metrics.calibrated_nll(
        members, LABELS, method="subnetworks", ensemble_of="probabilities"
    )
    assert found == close(expected)


def test_an_ensemble_of_averaged_probabilities_has_no_energy():
    members = [linear(ensemble_of="probabilities"), linear(1, seed=1)]
    options = {"ood": {"others": OTHERS}, "verbose": 0}
    report = evaluate(Ensemble(members), (IMAGES, LABELS), **options)
    energies = [row["part"] for row in report.ood if row["score"] == "energy"]
    assert energies == ["member 0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bootstrap": -1}, "`bootstrap` must be an integer of at least 0. Received"),
        ({"bootstrap": 1.5}, "`bootstrap` must be an integer of at least 0"),
        ({"thorough": 1}, "`thorough` must be a boolean. Received: thorough=1"),
        ({"ood": OTHERS}, "`ood` must be a dict from names to images. Received"),
        ({"ood": {1: OTHERS}}, "`ood` must be a dict from names to images"),
        ({"ood": {"a": OTHERS[0]}}, r"`ood` must have images of shape \(n, H, W, C\)"),
        ({"ood": {"a": OTHERS[:, 1:]}}, r"must have images of shape \(8, 8, 1\)"),
        (
            {"ood": {"a": ImageSet(OTHERS[:, 1:], np.zeros(30, int), CLASSES)}},
            r"`ood` must have images of shape \(8, 8, 1\). Received: image_shape=\(7",
        ),
        ({"held_out": IMAGES}, "`held_out` must be an `ImageSet`, or a pair of images"),
        (
            {"held_out": (IMAGES, LABELS[1:])},
            "`held_out` must have as many labels as images. Received: images=60",
        ),
        ({"held_out": (IMAGES, LABELS + 1)}, "`labels` must be in 0 to 3"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(linear(), (IMAGES, LABELS), verbose=0, **options)
