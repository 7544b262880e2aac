"""Reports of corrupted images, against reports of each set of them."""

import json
import sys

import numpy as np
import pytest

from keras_mixvit.data import CORRUPTIONS
from keras_mixvit.evaluation import CorruptionReport, evaluate, evaluate_corrupted
from keras_mixvit.evaluation._predicted import Group
from tests.evaluation.linear import Linear
from tests.helpers import images


@pytest.fixture(scope="module")
def model():
    return Linear((32, 32, 3), 10, members=2, name="mine")


def write(folder, names):
    """Six images of each severity for each corruption."""
    labels = np.arange(30) % 10
    folder.mkdir()
    np.save(folder / "labels.npy", labels)
    found = {}
    for seed, name in enumerate(names):
        found[name] = (255 * images(30, (32, 32, 3), seed)).astype("uint8")
        np.save(folder / f"{name}.npy", found[name])
    return found, labels


def test_every_corruption_and_severity_is_judged(model, tmp_path):
    arrays, labels = write(tmp_path / "CIFAR-10-C", ["fog", "snow"])
    report = evaluate_corrupted(model, "cifar10", tmp_path, ["snow", "fog"], (1, 4))
    assert (report.model, report.name) == ("mine", "cifar10")
    places = [("snow", 1), ("snow", 4), ("fog", 1), ("fog", 4)]
    found = [(row["corruption"], row["severity"]) for row in report.rows]
    assert found == places
    part = slice(18, 24)
    data = arrays["snow"][part].astype("float32"), labels[part]
    expected = evaluate(model, data, all_schemes=False, verbose=0).rows[0]
    for score in ("accuracy", "nll", "ece"):
        assert report.rows[1][score] == pytest.approx(expected[score], rel=1e-4)


def test_all_of_the_benchmark_is_judged_by_default(model, monkeypatch):
    asked = []
    module = sys.modules["keras_mixvit.evaluation._evaluate_corrupted"]
    few = (np.zeros((2, 32, 32, 3), "uint8"), np.array([0, 1]))
    monkeypatch.setattr(
        module, "load_corrupted", lambda *where: asked.append(where) or few
    )
    # 75 predictions take long, and are not what this is about.
    group = Group(None, "network", ["network"], np.eye(10)[:2], np.eye(10)[:2, None])
    monkeypatch.setattr(module, "predicted", lambda *arguments: iter([group]))
    evaluate_corrupted(model, "cifar10", "folder")
    expected = [
        ("cifar10", corruption, severity, "folder")
        for corruption in CORRUPTIONS
        for severity in range(1, 6)
    ]
    assert asked == expected


def rows():
    return [
        {
            "corruption": name,
            "severity": severity,
            "accuracy": a,
            "nll": 2.0,
            "ece": 0.5,
        }
        for name, severity, a in [
            ("fog", 1, 0.5),
            ("fog", 5, 0.25),
            ("snow", 1, 0.75),
            ("snow", 5, 0.25),
        ]
    ]


def test_means_are_plain_means():
    report = CorruptionReport("mine", "cifar100", rows())
    found = [
        (row.get("corruption"), row.get("severity"), row["accuracy"])
        for row in report.means()
    ]
    assert found == [
        ("fog", None, 0.375),
        ("snow", None, 0.5),
        (None, 1, 0.625),
        (None, 5, 0.25),
        (None, None, 0.4375),
    ]
    assert report.mean(corruption="fog", severity=5)["accuracy"] == 0.25


def test_a_report_is_json_with_its_means():
    report = CorruptionReport("mine", "cifar100", rows())
    content = json.loads(report.to_json())
    assert content["rows"] == rows()
    assert content["means"] == report.means()
    assert (content["model"], content["name"]) == ("mine", "cifar100")


def test_the_table_has_the_means(capsys):
    from rich.console import Console

    Console(width=100).print(CorruptionReport("mine", "cifar100", rows()).table())
    text = capsys.readouterr().out
    assert "mine, cifar100 corrupted" in text
    lines = [line.replace("│", "").split() for line in text.splitlines()[4:9]]
    assert lines == [
        ["fog", "37.50", "2.0000", "50.00"],
        ["snow", "50.00", "2.0000", "50.00"],
        ["severity", "1", "62.50", "2.0000", "50.00"],
        ["severity", "5", "25.00", "2.0000", "50.00"],
        ["all", "43.75", "2.0000", "50.00"],
    ]
