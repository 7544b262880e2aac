"""Tutorials: the notebooks fit their sources, are clean, and run."""

import copy
import importlib.util
import re
from pathlib import Path

import keras
import nbformat
import pytest

ROOT = Path(__file__).parents[1]
TUTORIALS = ROOT / "tutorials"
PICTURES = ROOT / "docs" / "tutorials"
NAMES = sorted(path.stem for path in TUTORIALS.glob("*.py"))
BACKEND = keras.config.backend()
# The cheapest of those that between them load, mix, train and judge. The fourth,
# which takes two minutes, is a slow test.
IN_EVERY_RUN = ("02_mixing_and_masks",)
# Those about what differs between backends, or what a newcomer starts with.
ON_EVERY_BACKEND = (
    "01_mixvit_in_ten_minutes",
    "03_mixvit_from_its_layers",
    "04_the_train_step",
)
KILOBYTES = 400
LINES_PER_CELL = 40
A_PATH_OF_ONE_MACHINE = re.compile(r"(?<![\w./])/(work|tmp|root|home)\b")


def tool():
    """The module `tools/make_tutorials.py`, which is in no package."""
    path = ROOT / "tools" / "make_tutorials.py"
    spec = importlib.util.spec_from_file_location("make_tutorials", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_tutorials = tool()


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def notebook(name):
    return nbformat.read(TUTORIALS / f"{name}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(notebook):
    """All that a reader can read, pictures aside."""
    for cell in notebook.cells:
        yield cell.source
        for output in cell.get("outputs", ()):
            yield output.get("text", "")
            data = output.get("data", {})
            yield from (data[kind] for kind in data if kind.startswith("text/"))


def test_every_source_has_a_notebook_and_every_notebook_a_source():
    assert NAMES
    assert sorted(path.stem for path in TUTORIALS.glob("*.ipynb")) == NAMES
    assert sorted(path.stem for path in PICTURES.glob("*.png")) == NAMES


def test_what_is_run_exists():
    assert set(IN_EVERY_RUN) | set(ON_EVERY_BACKEND) <= set(NAMES)


def test_the_notebook_is_that_of_the_source(name, notebook):
    expected = make_tutorials.notebook_of(TUTORIALS / f"{name}.py")

    def content(cell):
        return cell.id, cell.cell_type, cell.source, dict(cell.metadata)

    assert [*map(content, notebook.cells)] == [*map(content, expected.cells)]
    assert notebook.metadata == expected.metadata


def test_text_changes_without_execution_and_code_does_not(notebook):
    def changed(kind):
        other = copy.deepcopy(notebook)
        for cell in other.cells:
            cell.pop("execution_count", None)
            if cell.cell_type == "code":
                cell.outputs = []
        next(cell for cell in other.cells if cell.cell_type == kind).source += "\n"
        return make_tutorials.with_outputs(other, notebook)

    found = changed("markdown")
    assert [c.outputs for c in code_cells(found)] == [
        c.outputs for c in code_cells(notebook)
    ]
    assert [c.execution_count for c in code_cells(found)] == [
        c.execution_count for c in code_cells(notebook)
    ]
    assert changed("code") is None


def test_every_cell_was_executed_in_order(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_outputs_are_quiet(notebook):
    assert make_tutorials.noise_in(notebook) == []


def test_the_notebook_is_small(name):
    assert (TUTORIALS / f"{name}.ipynb").stat().st_size < 1000 * KILOBYTES


def test_one_cell_has_the_picture(name, notebook):
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    assert sum("picture" in found for found in tags) == 1
    picture = make_tutorials.picture_of(notebook)
    assert picture.startswith(b"\x89PNG")
    assert picture == (PICTURES / f"{name}.png").read_bytes()


def test_cells_fit_a_screen(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
    assert max(lengths) <= LINES_PER_CELL


def test_it_ends_with_what_you_learned(notebook):
    assert notebook.cells[0].source.startswith("# ")
    assert "What you learned" in notebook.cells[-1].source


def test_links_lead_to_files(notebook):
    for cell in notebook.cells:
        for target in re.findall(r"\]\(([\w./-]+\.\w+)", cell.source):
            if "://" not in target:
                assert (TUTORIALS / target).exists(), target


def test_nothing_tells_of_the_machine(notebook):
    found = [A_PATH_OF_ONE_MACHINE.findall(text) for text in texts(notebook)]
    assert [*filter(None, found)] == []


def test_the_page_of_tutorials_shows_each_in_order():
    page = (PICTURES / "index.md").read_text(encoding="utf-8")
    notebooks = re.findall(r"\(\.\./\.\./tutorials/(\w+)\.ipynb\)", page)
    pictures = re.findall(r"\((\w+)\.png\)", page)
    assert [*dict.fromkeys(notebooks)] == NAMES
    assert [*dict.fromkeys(pictures)] == NAMES


def run(name):
    """Executes a source as a reader would; a cell that raises ends the test."""
    notebook = make_tutorials.notebook_of(TUTORIALS / f"{name}.py")
    make_tutorials.execute(notebook, BACKEND)
    assert make_tutorials.noise_in(notebook) == []
    assert make_tutorials.picture_of(notebook) is not None


@pytest.mark.skipif(BACKEND != "jax", reason="Elsewhere it is a slow test.")
@pytest.mark.parametrize("chosen", IN_EVERY_RUN)
def test_it_runs(chosen):
    run(chosen)


@pytest.mark.slow
def test_it_runs_on_this_backend(name):
    if BACKEND != "jax" and name not in ON_EVERY_BACKEND:
        pytest.skip("Only on JAX, whose outputs are stored.")
    run(name)
