import itertools
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from keras_mixvit.cli import main
from keras_mixvit.evaluation import evaluate
from keras_mixvit.models import load_model
from keras_mixvit.report import write_report
from keras_mixvit.report._options import KIND
from tests.tiny_run import make_eager, train_words, write_images

SCRIPT = "<script>alert(1)</script>"
NAMES = np.array([SCRIPT, 'a"b&c', "$x^{$ {{ 7 * 7 }}"])
VOID = ("meta", "link", "img", "br")


class Page(HTMLParser):
    """The elements of a page, in order, and what is not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.faults, self.text = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)

    def every(self, tag):
        return [found for name, found in self.elements if name == tag]


@pytest.fixture(scope="module")
def written(finished, tmp_path_factory):
    """A report of two runs with hostile names, and of other images."""
    base = tmp_path_factory.mktemp("written")
    run = shutil.copytree(finished, base / "<b>run&")
    data = write_images(base / "named.npz", classes=NAMES)
    noise = write_images(base / "<i>noise.npz", test=7)
    page = base / "page.html"
    options = {"data": data, "ood": [noise], "examples": 3, "bootstrap": 20}
    numbers = write_report([finished, run], page, **options, verbose=0)
    return page.read_text(encoding="utf-8"), numbers, base


def test_the_page_is_well_formed_and_alone(written):
    text, _, _ = written
    page = Page(text)
    assert (page.faults, page.open) == ([], [])
    names = {name for name, _ in page.elements}
    assert not names & {"script", "iframe", "object", "base", "form", "b", "i"}
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert re.match(r"#|data:", attributes.get(name) or "#")
        assert not [name for name in attributes if name.startswith("on")]
    css = re.findall(r"url\(([^)]*)\)", text)
    assert all(found.startswith("#") for found in css)
    assert "@import" not in text
    assert len(text) < 5_000_000


def test_names_are_shown_as_they_are_written(written):
    text, _, _ = written
    shown = "".join(Page(text).text)
    for name in (*NAMES, "<b>run&", "<i>noise.npz"):
        assert name in shown
    assert "<script" not in text


def test_the_page_is_accessible(written):
    text, _, _ = written
    page = Page(text)
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    for link in page.every("a"):
        assert link["href"][1:] in ids
    assert all(image["alt"].strip() for image in page.every("img"))
    for svg in page.every("svg"):
        assert svg["role"] == "img"
        assert set(svg["aria-labelledby"].split()) <= set(ids)
    assert page.every("html") == [{"lang": "en"}]
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.every(landmark)) == 1
    levels = [int(name[1]) for name, _ in page.elements if re.match(r"h\d$", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    steps = itertools.pairwise(levels)
    assert all(later <= level + 1 for level, later in steps)
    assert len(page.every("caption")) == len(page.every("table"))
    assert all(found.get("scope") in ("col", "row") for found in page.every("th"))
    for found in page.every("div"):
        if found.get("class") == "scroll":
            assert (found["role"], found["tabindex"]) == ("region", "0")
            assert found["aria-label"].strip()


def test_every_term_is_explained(written):
    text, _, _ = written
    shown = " ".join("".join(Page(text).text).split())
    for sentence in (
        "Negative log-likelihood: the mean",
        "Expected calibration error: the mean gap",
        "Temperature: the number by which",
        "Mutual information says how much the probabilities",
        "The risk is the share of errors among its answers",
        "An epoch is one pass over the training images",
    ):
        assert sentence in shown


def test_numbers_are_those_of_the_evaluation(written, finished):
    _, numbers, base = written
    assert json.loads((base / "page.json").read_text()) == numbers
    assert numbers["kind"] == KIND
    assert numbers["classes"] == list(NAMES)
    assert [run["run"] for run in numbers["runs"]] == ["first", "<b>run&"]
    with np.load(base / "named.npz") as arrays:
        images, labels = arrays["x_test"], arrays["y_test"]
    model = load_model(finished / "model.keras")
    expected = evaluate(model, (images, labels), all_schemes=False, verbose=0)
    for run in numbers["runs"]:
        rows = [row for row in run["scores"] if row["network"] == "mixvit"]
        for row, known in zip(rows, expected.rows, strict=True):
            assert row["part"] == known["part"]
            for score in ("accuracy", "nll", "ece", "brier"):
                assert row[score] == pytest.approx(known[score], rel=1e-5)
        assert np.sum(run["confusion"]) == len(labels)
        for gallery in run["examples"].values():
            assert len(gallery) <= 3
            for found in gallery:
                assert found["true"] == labels[found["image"]]
    curve = numbers["risk_coverage"]["first: mixvit"]
    assert curve["risk"][-1] == pytest.approx(1 - expected.rows[0]["accuracy"])
    assert set(numbers["ood"]["histograms"]) == {"first: mixvit", "<b>run&: mixvit"}
    sets = {row["set"] for row in numbers["ood"]["rows"]}
    assert sets == {"<i>noise.npz"}


@pytest.mark.one_backend
def test_the_same_runs_give_the_same_page(finished, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        page = tmp_path / name / "page.html"
        write_report(str(finished), page, examples=2, bootstrap=0, verbose=0)
    for name in ("page.html", "page.json"):
        one, other = (tmp_path / folder / name for folder in "ab")
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.one_backend
def test_one_run_without_extras_has_what_it_needs(finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    for name in ("mixed_samples.png", "history.csv", "single"):
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    found = write_report(run, tmp_path / "page.html", bootstrap=0, verbose=0)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert found["curves"] is None
    assert "ood" not in found
    assert "Learning curves" not in text
    # Mixed images are drawn anew.
    assert 'alt="Columns of images' in text
    assert "95 % interval" not in text


@pytest.mark.one_backend
def test_an_ensemble_of_single_networks_has_members_and_no_masks(tmp_path, monkeypatch):
    make_eager(monkeypatch)
    words = ("--set=method=single", "--set=num_members=2", "--no-single")
    data = write_images(tmp_path / "three.npz")
    assert main(train_words(data, tmp_path / "run", *words)) == 0
    found = write_report(tmp_path / "run", tmp_path / "a.html", bootstrap=0, verbose=0)
    scores = found["runs"][0]["scores"]
    assert [row["part"] for row in scores] == ["ensemble", "member 0", "member 1"]
    shown = "".join(Page((tmp_path / "a.html").read_text(encoding="utf-8")).text)
    assert "Several whole networks, the members, are an ensemble" in shown
    assert "an ensemble of 2 networks, each of them one network with" in shown
    assert "What mixing showed the network" not in shown
    assert "attention" not in shown


@pytest.mark.one_backend
def test_the_command_writes_page_and_figures(finished, tmp_path, capsys):
    page = tmp_path / "page.html"
    words = ["report", str(finished), f"--output={page}", "--bootstrap=0"]
    assert main([*words, "--examples=1"]) == 0
    out = capsys.readouterr().out
    assert out == f"Page: {page}\nFigures: {tmp_path}/page.json\n"
    assert page.exists()
    assert main([*words, "--examples=0"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("keras-mixvit: `examples` must be an integer from 1 to 100.")
