"""Every public parameter and return value is annotated, every method documented."""

import inspect

import pytest

from tests.contract.public import PACKAGES


def public_functions(package):
    """Functions, constructors, methods and properties of public names, by name."""
    for name in package.__all__:
        item = getattr(package, name)
        if inspect.isclass(item):
            yield from public_methods(name, item)
        elif inspect.isfunction(item):
            yield name, item


def public_methods(name, cls):
    """What the library writes of a class, its bases included."""
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("keras_mixvit"):
            continue
        for method_name, method in vars(base).items():
            if method_name.startswith("_") and method_name not in (
                "__init__",
                "__call__",
            ):
                continue
            if isinstance(method, property):
                method = method.fget
            elif isinstance(method, (classmethod, staticmethod)):
                method = method.__func__
            if inspect.isfunction(method) and method.__module__ == base.__module__:
                yield f"{name}.{method_name}", method


def missing_annotations(function):
    """Names of the parameters that lack one, and `"return"`."""
    signature = inspect.signature(function)
    for name, parameter in signature.parameters.items():
        if name not in ("self", "cls") and parameter.annotation is parameter.empty:
            yield name
    makes_nothing = function.__name__ == "__init__"
    if signature.return_annotation is signature.empty and not makes_nothing:
        yield "return"


def is_of_keras(cls, name):
    """Whether Keras defines and explains a method, which the library overrides."""
    return any(
        name in vars(base)
        for base in cls.__mro__
        if not base.__module__.startswith("keras_mixvit")
    )


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_public_functions_and_methods_are_annotated(package):
    missing = {
        name: found
        for name, function in public_functions(package)
        if (found := list(missing_annotations(function)))
    }
    assert not missing


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_public_functions_and_methods_have_docstrings(package):
    for name in package.__all__:
        item = getattr(package, name)
        assert inspect.getdoc(item), name
        for full_name, _ in public_methods(name, item) if inspect.isclass(item) else ():
            method = full_name.split(".")[1]
            if method.startswith("_") or is_of_keras(item, method):
                continue
            # An override has the docstring of what it overrides.
            assert inspect.getdoc(getattr(item, method)), full_name
