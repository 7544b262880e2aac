"""The tables of README.md and docs/ are those of the files that they are made from."""

import pytest

from tests.test_docs import ROOT, tool

make_tables = tool("make_tables")
PAGES = make_tables.pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_table_is_up_to_date(path):
    what_to_do = f"{path.name} is old: run `python tools/make_tables.py`"
    assert path.read_text(encoding="utf-8") == PAGES[path], what_to_do


def test_every_study_is_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for found in make_tables.studies():
        assert f"docs/results/{found['file']}.md" in readme


def test_the_table_of_the_readme_marks_the_baseline():
    shown = max(make_tables.studies(), key=lambda found: len(found["seeds"]))
    assert f"**{shown['baseline']}** (baseline)" in make_tables.readme_results()


def test_a_cell_shows_mean_and_spread():
    row = {"summary": {"accuracy": {"mean": 0.9532, "sd": 0.0041}}}
    row["summary"]["nll"] = {"mean": 0.2004, "sd": None}
    row["summary"]["ece"] = {"mean": None, "sd": None}
    assert make_tables.cell(row, "accuracy") == "95.32 ± 0.41"
    assert make_tables.cell(row, "nll") == "0.200"
    assert make_tables.cell(row, "ece") == "–"
