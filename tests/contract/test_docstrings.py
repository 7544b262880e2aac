"""Docstrings name the arguments and defaults of the signature."""

import ast
import inspect
import re

import pytest

from keras_mixvit.cli import _main as cli
from tests.contract.public import (
    CLASSES,
    MODULES,
    PUBLIC,
    own_parameters,
    parameters,
)


def section(docstring, title="Args"):
    """Entries of a section of a docstring, from names to texts."""
    entries, inside, name = {}, False, None
    for line in inspect.cleandoc(docstring or "").splitlines():
        if line == f"{title}:":
            inside = True
        elif line and not line.startswith(" "):
            inside = False
        elif inside and line:
            entry = re.fullmatch(r"    (\*{0,2}\w+): (.*)", line)
            if entry:
                name = entry[1]
                entries[name] = entry[2]
            else:
                entries[name] += " " + line.strip()
    return entries


def callables():
    """Every class, function and method of the package, by its full name."""
    for module in MODULES:
        for name, item in vars(module).items():
            if getattr(item, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(item):
                yield f"{module.__name__}.{name}", item, parameters(item)
            elif inspect.isclass(item):
                yield f"{module.__name__}.{name}", item, own_parameters(item)
                for method_name, method in vars(item).items():
                    if inspect.isfunction(method):
                        full = f"{module.__name__}.{name}.{method_name}"
                        yield full, method, parameters(method)


def with_arguments():
    for name, item, expected in callables():
        if "Args:" in (item.__doc__ or ""):
            yield pytest.param(item, expected, id=name.removeprefix("keras_mixvit."))


def test_every_public_callable_documents_its_arguments():
    undocumented = []
    for name, item in {**PUBLIC, "main": cli.main}.items():
        needed = own_parameters(item) if inspect.isclass(item) else parameters(item)
        if needed and not section(item.__doc__):
            undocumented.append(name)
    assert not undocumented


@pytest.mark.parametrize(("item", "expected"), list(with_arguments()))
def test_documented_arguments_are_those_of_the_signature(item, expected):
    documented = [name for name in section(item.__doc__) if not name.startswith("*")]
    assert documented == list(expected)


@pytest.mark.parametrize(("item", "expected"), list(with_arguments()))
def test_documented_defaults_are_those_of_the_signature(item, expected):
    for name, text in section(item.__doc__).items():
        if name.startswith("*"):
            continue
        stated = re.findall(r"Defaults to `([^`]*)`", text)
        default = expected[name].default
        if default is inspect.Parameter.empty:
            assert not stated, name
            continue
        assert len(stated) == 1, name
        if inspect.ismodule(default) or inspect.isroutine(default):
            assert stated[0] == default.__name__
        else:
            value = ast.literal_eval(stated[0])
            assert (type(value), value) == (type(default), default), name


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_documented_call_arguments_are_those_of_call(name):
    documented = section(CLASSES[name].__doc__, "Call arguments")
    if documented:
        assert list(documented) == list(parameters(CLASSES[name].call))


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_has_a_docstring(name):
    assert (PUBLIC[name].__doc__ or "").strip()
