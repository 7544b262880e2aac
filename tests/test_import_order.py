"""Imports run one way, as the table in CONTRIBUTING.md says, without a cycle."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

import keras_mixvit

PACKAGE = Path(keras_mixvit.__file__).parent
CONTRIBUTING = PACKAGE.parent / "CONTRIBUTING.md"
ROW = re.compile(r"\| `([\w/]+/|_\*\.py)` \| .* \| (.*) \|")


def table():
    """Folders in the order of the table, each with what it may import."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    rows = (ROW.fullmatch(line) for line in text.splitlines())
    return {
        row[1].rstrip("/"): re.findall(r"`([\w/]+)`", row[2]) for row in rows if row
    }


ALLOWED = table()


def module_name(path):
    """`data.sets._load` of a path, `""` of the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path):
    """Modules of the library that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            names = [
                (f"{node.module}.{alias.name}", node.module) for alias in node.names
            ]
        elif isinstance(node, ast.Import):
            names = [(alias.name, alias.name) for alias in node.names]
        for name, module in names:
            if name.split(".")[0] == "keras_mixvit":
                name = name.removeprefix("keras_mixvit").lstrip(".")
                module = module.removeprefix("keras_mixvit").lstrip(".")
                yield name if name in MODULES else module


def folder(name):
    """The row of the table that a module belongs to, `""` for the package itself."""
    if not name:
        return ""
    parts = name.split(".")
    if parts[0].startswith("_"):
        return "_*.py"
    return max(
        (row for row in ALLOWED if row.split("/") == parts[: row.count("/") + 1]),
        key=len,
    )


GRAPH = {name: sorted(set(imported(path))) for name, path in MODULES.items()}


def test_the_table_has_a_row_for_every_folder_in_the_order_of_imports():
    folders = {
        path.parent.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*/__init__.py")
    }
    assert set(ALLOWED) == {*folders, "_*.py"}
    above = []
    for name, allowed in ALLOWED.items():
        assert set(allowed) <= set(above), f"{name} is above what it may import"
        above.append(name)


@pytest.mark.parametrize("name", ALLOWED)
def test_folders_import_what_the_table_says(name):
    found = {(m, other) for m in MODULES if folder(m) == name for other in GRAPH[m]}
    allowed = {name, "_*.py", *ALLOWED[name]}
    # Who may import a folder may import the folders in it.
    allowed |= {row for row in ALLOWED if row.split("/")[0] in ALLOWED[name]}
    if name in ("training", "cli"):
        allowed.add("")  # The version, the public names.
    wrong = sorted(pair for pair in found if folder(pair[1]) not in allowed)
    assert not wrong


def test_the_package_imports_the_rest_on_first_use():
    later = {"costs", "analysis", "recipes", "training", "prediction", "report", "cli"}
    assert not later & {folder(name) for name in GRAPH[""]}


def test_no_module_imports_itself_by_way_of_others():
    graphlib.TopologicalSorter(GRAPH).prepare()


@pytest.mark.parametrize("name", ["analysis", "costs", "metrics"])
def test_models_are_asked_by_their_class_or_a_protocol(name):
    """Not by the name of an attribute that they may have or not."""
    for path in sorted((PACKAGE / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id in ("getattr", "hasattr", "setattr"):
                is_literal = isinstance(node.args[1], (ast.Constant, ast.JoinedStr))
                assert not is_literal, f"{path.name}:{node.lineno}"
