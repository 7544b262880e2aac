import csv
import io
import json

import pytest

from keras_mixvit.prediction import Prediction
from keras_mixvit.prediction._writers import writer_for

pytestmark = pytest.mark.one_backend

CAT = Prediction(
    *("a, b.png", ("cat", "dog"), (0.8125, 0.1234567), 0.5, 0.25, 1.0, -2.5, True),
    ("cat", "dog"),
)
BAD = Prediction("bad.png", error='a "quoted" reason')
SINGLE = Prediction("c.png", ("dog",), (1.0,), 0.0, unlikeness=0.5, prediction_set=())


def text_of(format, *found, top=3, has_sets=True):
    stream = io.StringIO()
    writer = writer_for(format, stream, top, has_sets)
    for each in found:
        writer.write(each)
    writer.close()
    return stream.getvalue()


def test_csv_has_the_same_columns_always():
    rows = list(csv.DictReader(io.StringIO(text_of("csv", CAT, BAD, SINGLE))))
    assert list(rows[0]) == [
        *("image", "class_1", "probability_1", "class_2", "probability_2"),
        *("class_3", "probability_3", "entropy", "mutual_information"),
        *("disagreement", "unlikeness", "unlike_training", "prediction_set", "error"),
    ]
    first, bad, single = rows
    assert (first["image"], first["class_1"]) == ("a, b.png", "cat")
    assert (first["probability_2"], first["class_3"]) == ("0.123457", "")
    assert (first["unlike_training"], first["prediction_set"]) == ("true", "cat|dog")
    assert (bad["class_1"], bad["error"]) == ("", 'a "quoted" reason')
    assert (single["unlike_training"], single["prediction_set"]) == ("", "")


@pytest.mark.parametrize("found", [(), (CAT,), (CAT, BAD, SINGLE)])
def test_json_is_an_array_and_lines_are_objects(found):
    expected = [each.to_dict() for each in found]
    assert json.loads(text_of("json", *found)) == expected
    lines = text_of("jsonl", *found).splitlines()
    assert [json.loads(line) for line in lines] == expected


def test_a_table_shows_what_matters():
    assert text_of("table", CAT, BAD, SINGLE, top=2).splitlines() == [
        "image     class       class 2    entropy  mutual inf.  disagree  "
        "unlike training  set",
        "a, b.png  cat 81.2%   dog 12.3%  0.500    0.250        1.000     "
        "yes              {cat, dog}",
        'bad.png   error: a "quoted" reason',
        "c.png     dog 100.0%             0.000                           "
        "                 {}",
    ]


def test_a_table_is_written_as_it_comes():
    stream = io.StringIO()
    writer = writer_for("table", stream, 3, False)
    for _ in range(60):
        writer.write(CAT)
    # Not only at the end.
    assert len(stream.getvalue().splitlines()) > 50
    writer.close()
    assert len(stream.getvalue().splitlines()) == 61


@pytest.mark.parametrize("name", ["\x1b[31m.png", "\udcff.png", "a\nb.png"])
def test_names_of_files_do_no_harm(name):
    found = Prediction(name, error=f"no {name}")
    table = text_of("table", found)
    assert len(table.splitlines()) == 2
    assert "\x1b" not in table
    for format in ("table", "csv", "json", "jsonl"):
        text_of(format, found).encode("utf-8")
    assert json.loads(text_of("jsonl", found))["image"] == name


def test_an_empty_table_is_a_line_of_names():
    assert text_of("table").startswith("image")
