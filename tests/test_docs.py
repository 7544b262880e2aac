"""README.md and docs/: code runs, commands are accepted, links lead somewhere."""

import dataclasses
import importlib
import importlib.util
import re
import shlex
import sys
from pathlib import Path

import pytest

import keras_mixvit
from keras_mixvit import data, metrics
from keras_mixvit.cli._main import COMMANDS, make_parser

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
MARKDOWN = {path.relative_to(ROOT).as_posix(): path.read_text() for path in PAGES}
# A block of Python, and the remark that excuses it from the tests.
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<why>[^\n]+) -->\n)?```python\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
# What takes long in a program that a reader runs once.
SHORTER = {"epochs=40": "epochs=1"}
FEW = 128
# Its code is also the first model of this page, which runs it.
SAME_CODE = ("README.md", "docs/getting_started.md")
TWO_COMMANDS = (
    '    python3 -m venv .venv && .venv/bin/pip install -e ".[jax,figures]" && '
    "KERAS_BACKEND=jax .venv/bin/keras-mixvit train\n",
    '    python3 -m venv .venv && .venv/bin/pip install -e ".[jax,test]" && '
    "KERAS_BACKEND=jax .venv/bin/pytest\n",
)


def tool(name):
    """A module of `tools/`, which is in no package."""
    path = ROOT / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


docs_pages = tool("docs_pages")


def program(text):
    """The Python of a page that runs, one block after the other."""
    blocks = [found["code"] for found in BLOCK.finditer(text) if not found["why"]]
    code = "\n".join(blocks)
    for long, short in SHORTER.items():
        code = code.replace(long, short)
    return code


def shorten(monkeypatch):
    """Leaves the pages a few digits, and untrained models a temperature."""

    def few(name, split, **options):
        found = data.load(name, split, **options)
        return dataclasses.replace(
            found, images=found.images[:FEW], labels=found.labels[:FEW]
        )

    def finite(logits, labels):
        return min(fit_temperature(logits, labels), 10.0)

    fit_temperature = metrics.fit_temperature
    monkeypatch.setattr(keras_mixvit, "load", few)
    monkeypatch.setattr(metrics, "fit_temperature", finite)


PROGRAMS = [page for page in MARKDOWN if program(MARKDOWN[page])]


@pytest.mark.one_backend
@pytest.mark.parametrize("page", [page for page in PROGRAMS if page != SAME_CODE[0]])
def test_python_of_a_page_runs(page, tmp_path, monkeypatch):
    if "keras_mixvit.analysis" in program(MARKDOWN[page]):
        pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    shorten(monkeypatch)
    exec(compile(program(MARKDOWN[page]), page, "exec"), {"__name__": page})


def test_the_code_of_the_readme_is_that_of_a_page_that_runs():
    readme, page = (program(MARKDOWN[name]) for name in SAME_CODE)
    assert readme
    assert readme in page


def command_lines():
    """Lines of blocks that call the command, by page."""
    for page, text in MARKDOWN.items():
        for line in text.splitlines():
            found = re.search(r"^    .*?\bkeras(?:-mixvit|_mixvit\.cli) (.*)$", line)
            if found and "```" not in line:
                words = re.split(r" && | \| | > ", found[1])[0]
                yield pytest.param(words, id=f"{page}: {words}")


@pytest.mark.parametrize("words", list(command_lines()))
def test_commands_are_accepted(words):
    make_parser().parse_args(shlex.split(words))


def test_inline_commands_exist():
    for page, text in MARKDOWN.items():
        if page == "CONTRIBUTING.md":
            # It makes up a command.
            continue
        names = re.findall(r"`keras-mixvit ([a-z]+)", text.replace("\n", " "))
        assert set(names) <= set(COMMANDS), page


@pytest.mark.parametrize("page", MARKDOWN)
def test_links_lead_to_files(page):
    folder = (ROOT / page).parent
    text = re.sub(r"```.*?```", "", MARKDOWN[page], flags=re.DOTALL)
    targets = re.findall(r'(?:\]\(|src=")([^)"\s]+)', text)
    for target in targets:
        path, _, anchor = target.partition("#")
        if "://" in target or not path:
            continue
        assert (folder / path).exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (folder / path).read_text(), re.M)
            assert anchor in {anchor_of(heading) for heading in headings}, target


def anchor_of(heading):
    """The anchor of a heading, as GitHub and MkDocs make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", MARKDOWN)
def test_pictures_have_alternative_text(page):
    assert not re.findall(r"!\[\s*\]\(", MARKDOWN[page])


@pytest.mark.parametrize("page", MARKDOWN)
def test_nothing_tells_of_one_machine(page):
    assert not re.findall(r"(?<![\w./])/(?:work|tmp|root|home)\b", MARKDOWN[page])


def test_the_readme_is_short_and_has_the_two_commands():
    text = MARKDOWN["README.md"]
    assert len(text.splitlines()) <= 150
    for command in TWO_COMMANDS:
        assert command in text


def test_the_readme_lists_every_extra():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.split(r"^\[", project.split("[project.optional-dependencies]\n")[1])[0]
    section = MARKDOWN["README.md"].split("## Installation")[1].split("\n## ")[0]
    for name in re.findall(r"^(\w+) = \[", extras.split("\n[")[0], re.MULTILINE):
        assert f"`{name}`" in section, name


def test_every_page_is_in_the_navigation():
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in DOCS.glob("*.md"):
        assert f": {path.name}\n" in listed, path.name


@pytest.mark.parametrize("package", docs_pages.PACKAGES)
def test_the_reference_has_every_public_name(package):
    module = importlib.import_module(f"keras_mixvit.{package}")
    page = docs_pages.api_page(package)
    listed = re.findall(rf"^::: keras_mixvit\.{package}\.(\w+)$", page, re.MULTILINE)
    assert listed == list(module.__all__)


def test_the_reference_has_every_package():
    folders = {
        path.parent.name for path in (ROOT / "keras_mixvit").glob("*/__init__.py")
    }
    assert set(docs_pages.PACKAGES) == folders - {"cli"}


def test_the_picture_of_the_idea_is_that_of_its_script():
    drawn = tool("make_idea").picture()
    assert (DOCS / "idea.svg").read_text(encoding="utf-8") == drawn
