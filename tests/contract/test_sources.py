"""What holds in every source file and package."""

import ast
import dataclasses

import pytest

import keras_mixvit
from tests.contract.public import CLASSES, PACKAGES, SOURCES


@pytest.mark.parametrize(
    "source", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_source_uses_public_keras_only_without_lambda_layers_and_asserts(source):
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert), node.lineno
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        else:
            continue
        for name in names:
            assert not f"{name}.".startswith("keras.src."), node.lineno
            assert not name.endswith("layers.Lambda"), node.lineno


def test_public_names_of_the_package_exist_and_are_sorted():
    for package in (keras_mixvit, *PACKAGES):
        assert all(hasattr(package, name) for name in package.__all__)
        assert len(set(package.__all__)) == len(package.__all__)


def test_dataclasses_of_the_package_are_frozen():
    for item in CLASSES.values():
        if dataclasses.is_dataclass(item):
            assert item.__dataclass_params__.frozen, item
