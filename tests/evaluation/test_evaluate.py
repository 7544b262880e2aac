"""Reports of models, against scores of what each network predicts on its own."""

import json

import keras
import numpy as np
import pytest

from keras_mixvit import metrics
from keras_mixvit.backbones import ConViT
from keras_mixvit.data import ImageSet
from keras_mixvit.evaluation import EvaluationReport, evaluate
from keras_mixvit.evaluation._predicted import graph_of
from keras_mixvit.metrics._calibrated_nll import calibrated
from keras_mixvit.models import Ensemble, MixMo, MixViT, SingleNetwork
from tests.evaluation.linear import Linear
from tests.helpers import images, numpy, set_weights
from tests.layers.compiled import compiled

SHAPE = (8, 8, 1)
IMAGES = images(23, SHAPE)
LABELS = np.arange(23) % 4
CLASSES = ("ant", "bee", "cat", "dog")
DIVERSITY = ("ratio_error", "disagreement", "pairwise_kl")


def made(kind, seed=0, **options):
    """A tiny model whose predictions differ from image to image."""
    model = kind(ConViT(SHAPE, 4, 8, 2, 1, 1), 4, **options)
    set_weights(model, seed, scale=1.0)
    return model


def linear(members=1, seed=0, **options):
    """A model that compiles at once."""
    return Linear(SHAPE, 4, members, seed, **options)


def logits_of(model):
    """What a model's subnetworks predict, `(n, M, K)`."""
    return numpy(compiled(model.inference_network)(IMAGES))


def expected_scores(logits, labels=LABELS, bins=15, seed=0):
    """The scores of one prediction, each by the function of its name."""
    calibrated_nll, temperatures = calibrated(logits, labels, seed)
    return {
        "accuracy": metrics.accuracy(logits, labels),
        "top5": 1.0,
        "nll": metrics.nll(logits, labels),
        "calibrated_nll": calibrated_nll,
        "temperature": np.mean(temperatures),
        "ece": metrics.calibration_error(logits, labels, bins),
        "adaptive_ece": metrics.calibration_error(logits, labels, bins, adaptive=True),
        "brier": metrics.brier(logits, labels),
        "auroc": metrics.auroc(logits, labels),
        "aurc": metrics.aurc(logits, labels),
        "excess_aurc": metrics.excess_aurc(logits, labels),
        "risk_at_80": metrics.risk_at_coverage(logits, labels),
        "coverage_at_5": metrics.coverage_at_risk(logits, labels),
    }


def require_row(row, inference, part, logits, members=None, **options):
    """Requires a row to hold the scores of logits, and of members' diversity."""
    expected = expected_scores(logits, **options) | dict.fromkeys(DIVERSITY)
    if members is not None:
        expected["ratio_error"] = metrics.ratio_error(members, LABELS)
        expected["disagreement"] = metrics.disagreement(members)
        expected["pairwise_kl"] = metrics.pairwise_kl(members)
    require_alike(row, {"inference": inference, "part": part, **expected})


def require_alike(row, expected):
    """Requires two rows to be equal, numbers within rounding."""
    assert set(row) == set(expected)
    for name, value in expected.items():
        if isinstance(value, float):
            # NLL is flat where predictions are hardly better than chance.
            rel = 1e-2 if name == "temperature" else 1e-4
            value = pytest.approx(value, rel=rel, abs=1e-5, nan_ok=True)
        assert row[name] == value, name


def require_group(rows, inference, logits, ensemble_of="logits"):
    """Requires rows of an ensemble and of each of its subnetworks."""
    averaged = logits.mean(axis=1)
    if ensemble_of == "probabilities":
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares = powers / powers.sum(axis=-1, keepdims=True)
        averaged = np.log(shares.mean(axis=1))
    assert len(rows) == 1 + logits.shape[1]
    require_row(rows[0], inference, "ensemble", averaged, logits)
    for m, row in enumerate(rows[1:]):
        require_row(row, inference, f"subnetwork {m}", logits[:, m])


def test_mixvit_is_judged_in_every_scheme():
    model = made(MixViT, inference="sum", ensemble_of="probabilities")
    report = evaluate(model, (IMAGES, LABELS), batch_size=8, verbose=0)
    assert (report.model, report.samples, len(report.rows)) == ("mixvit", 23, 9)
    for i, scheme in enumerate(("sum", "parallel", "alternating")):
        other = made(MixViT, inference=scheme)
        rows = report.rows[3 * i : 3 * i + 3]
        require_group(rows, scheme, logits_of(other), "probabilities")
    assert report.rows[0]["nll"] != report.rows[3]["nll"] != report.rows[6]["nll"]


def test_mixmo_is_judged_in_every_scheme():
    rows = evaluate(made(MixMo), (IMAGES, LABELS), verbose=0).rows
    assert [row["inference"] for row in rows] == ["sum"] * 3 + ["parallel"] * 3
    require_group(rows[3:], "parallel", logits_of(made(MixMo, inference="parallel")))


def test_an_image_set_is_judged_as_its_arrays_are():
    model = linear()
    data = ImageSet(IMAGES, LABELS, CLASSES)
    options = {"batch_size": 8, "bins": 4, "seed": 3, "verbose": 0}
    (row,) = evaluate(model, data, **options).rows
    logits = logits_of(model)[:, 0]
    require_row(row, None, "network", logits, bins=4, seed=3)
    others = (
        (IMAGES, LABELS[:, None]),
        [IMAGES.astype("float64"), LABELS],
        (data.batches(7), LABELS),
    )
    for other in others:
        require_alike(evaluate(model, other, **options).rows[0], row)


@pytest.mark.parametrize(
    ("kind", "options", "schemes"),
    [
        (MixViT, {}, ("parallel", "sum", "alternating")),
        (MixViT, {"inference": 1}, (1, "parallel", "sum", "alternating")),
        (MixViT, {"source_attribution": None}, ("parallel",)),
        (MixViT, {"input_mixing": "all_tokens"}, ("parallel",)),
        (MixMo, {}, ("sum", "parallel")),
        (MixMo, {"inference": "parallel"}, ("parallel", "sum")),
        (MixMo, {"num_classifiers": 1}, ("sum",)),
        (SingleNetwork, {}, ()),
    ],
)
def test_schemes_of_a_model(kind, options, schemes):
    model = kind(ConViT(SHAPE, 4, 8, 2, 1, 1), 4, **options)
    assert model.inference_schemes == schemes
    for scheme in schemes:
        members = 1 if scheme == 1 or "num_classifiers" in options else 2
        shape = model.inference_network_of(scheme).output.shape
        assert shape == (None, members, 4)
    with pytest.raises(ValueError, match="`inference` must be"):
        model.inference_network_of("other")


def test_one_prediction_is_named_after_its_subnetwork():
    model = linear()
    model.inference, type(model).inference_schemes = 1, (1, "sum")
    try:
        (row,) = evaluate(model, (IMAGES, LABELS), all_schemes=False, verbose=0).rows
    finally:
        del type(model).inference_schemes
    require_row(row, 1, "subnetwork 1", logits_of(model)[:, 0])


def test_an_ensemble_is_compared_with_its_members_and_their_subnetworks():
    members = [linear(2, ensemble_of="probabilities"), linear(1, seed=1)]
    ensemble = Ensemble(members)
    rows = evaluate(ensemble, (IMAGES, LABELS), verbose=0).rows
    first, second = (logits_of(member) for member in members)
    shares = np.exp(first) / np.exp(first).sum(axis=-1, keepdims=True)
    means = np.stack([np.log(shares.mean(axis=1)), second[:, 0]], axis=1)
    every = np.concatenate([first, second], axis=1)
    assert len(rows) == 5
    require_row(rows[0], None, "ensemble", every.mean(axis=1), means)
    require_row(rows[1], None, "member 1", means[:, 1])
    require_row(rows[2], None, "member 0", means[:, 0], first)
    for m in range(2):
        require_row(rows[3 + m], None, f"member 0, subnetwork {m}", first[:, m])


def test_predictions_in_half_precision_are_judged_in_float32():
    model = linear(dtype="bfloat16")
    (row,) = evaluate(model, (IMAGES, LABELS), verbose=0).rows
    logits = logits_of(model)[:, 0]
    assert graph_of(model, [None])[0].outputs[0].dtype == "float32"
    # Programs round differently to bfloat16, to three digits.
    assert row["nll"] == pytest.approx(metrics.nll(logits, LABELS), rel=1e-2)


def test_one_sample_has_no_calibrated_nll():
    model = linear()
    (row,) = evaluate(model, (IMAGES[:1], LABELS[:1]), verbose=0).rows
    assert np.isnan(row["calibrated_nll"])
    assert np.isfinite(row["nll"])


ROW = {"inference": "sum", "part": "ensemble", "accuracy": 0.125, "nll": 2.5}


def test_a_report_is_json_without_what_json_does_not_have():
    rows = [{**ROW, "auroc": float("nan"), "ratio_error": float("inf"), "ece": None}]
    content = json.loads(EvaluationReport("mine", 8, rows).to_json())
    missing = dict.fromkeys(("auroc", "ratio_error", "ece"))
    assert content == {"model": "mine", "samples": 8, "rows": [{**ROW, **missing}]}


def test_the_table_has_a_row_for_each_and_no_empty_column(capsys):
    from rich.console import Console

    other = {**ROW, "inference": None, "part": "network", "ece": 0.0625}
    table = EvaluationReport("mine", 8000, [ROW, other]).table()
    Console(width=200).print(table)
    lines = capsys.readouterr().out.splitlines()
    assert "mine, 8,000 samples" in lines[0]
    assert [w for w in lines[2].split("┃") if w.strip()] == [
        " prediction    ",
        " top 1 % ",
        "    NLL ",
        " ECE % ",
    ]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines[4:6]]
    assert cells == [
        ["sum, ensemble", "12.50", "2.5000", ""],
        ["network", "12.50", "2.5000", "6.25"],
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (IMAGES, "`data` must be an `ImageSet`, or a pair of images and labels. Rece"),
        ((IMAGES, LABELS + 1), "`labels` must be in 0 to 3"),
        ((IMAGES, np.eye(4)[LABELS]), "`labels` must be integers, not soft"),
        ((IMAGES, LABELS[1:]), "`data` must have as many labels as images. Received"),
        ((IMAGES[:, 1:], LABELS), r"`x` must have images of shape \(8, 8, 1\)"),
        (
            ImageSet(IMAGES[:, 1:], LABELS, CLASSES),
            r"`data` must have images of shape \(8, 8, 1\). Received: image_shape=\(7",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused(data, message):
    model = linear()
    with pytest.raises(ValueError, match=message):
        evaluate(model, data, verbose=0)


def test_other_models_are_refused():
    model = keras.Sequential([keras.layers.Flatten()])
    with pytest.raises(ValueError, match="`model` must be a model of this library"):
        evaluate(model, (IMAGES, LABELS))


def test_predictions_that_are_nan_are_refused():
    model = linear()
    model.heads.bias.assign([0.0, np.nan, 0.0, 0.0])
    with pytest.raises(ValueError, match="`logits` must not be NaN"):
        evaluate(model, (IMAGES, LABELS), verbose=0)
