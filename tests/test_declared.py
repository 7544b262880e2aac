"""Every package that is imported is declared in pyproject.toml."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Where a package is imported by another name.
PACKAGES = {
    "IPython": "ipython",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
}
BACKENDS = ("jax", "tensorflow", "torch")
# Extras for users of the library, and what they may import beside the dependencies.
FOR_USERS = (*BACKENDS, "figures", "report", "data", "hf", "hub", "export", "demo")
USES = {
    "keras_mixvit": FOR_USERS,
    "tests": (*BACKENDS, "test"),
    "benchmarks": (*BACKENDS, "figures", "benchmarks"),
    "tools": ("test", "references", "docs", "browser"),
    "tutorials": ("jax", "tutorials", "data", "hub"),
}


def declared(extra=None):
    """Normalised names of the packages of an extra, or of the dependencies."""
    found = set()
    for requirement in PROJECT["dependencies"] if extra is None else EXTRAS[extra]:
        name, others = re.match(r"([\w.-]+)(?:\[(.*)\])?", requirement).groups()
        if name == PROJECT["name"]:
            found |= set().union(*(declared(other) for other in others.split(",")))
        found.add(re.sub(r"[-_.]+", "-", name).lower())
    return found


def imported(path, everywhere=True):
    """Names of the packages of others that a file imports, or imports at once."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if everywhere else tree.body:
        names = []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in {name.split(".")[0] for name in names}:
            if name not in (*sys.stdlib_module_names, *USES):
                yield PACKAGES.get(name, name.replace("_", "-"))


@pytest.mark.parametrize("folder", USES)
def test_every_package_that_is_imported_is_declared(folder):
    allowed = declared().union(*(declared(extra) for extra in USES[folder]))
    if folder == "benchmarks":
        # Its neighbours.
        names = {path.stem for path in (ROOT / folder).glob("*.py")}
        allowed |= {name.replace("_", "-") for name in names}
    for path in sorted((ROOT / folder).rglob("*.py")):
        # Scripts that store numbers of other libraries.
        is_script = folder == "tests" and path.name.startswith("make_")
        more = declared("references") if is_script else set()
        missing = set(imported(path)) - allowed - more
        assert not missing, path


def test_what_is_imported_at_once_is_no_extra():
    """Each engine of several devices is imported on its own backend alone."""
    engines = {"_jax": "jax", "_tensorflow": "tensorflow", "_torch": "torch"}
    for path in sorted((ROOT / "keras_mixvit").rglob("*.py")):
        allowed = {*declared(), engines.get(path.stem, "keras")}
        assert set(imported(path, everywhere=False)) <= allowed, path
