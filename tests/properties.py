"""Properties: one definition makes an ordinary test and a slow one."""

import tempfile

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.configuration import set_hypothesis_home_dir

# Hypothesis must leave no folder in the repository.
set_hypothesis_home_dir(tempfile.mkdtemp(prefix="hypothesis-"))

# The machine may be slow or busy, so no example has a deadline.
COMMON = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)


def examples(few: int, many: int):
    """Parametrizes a test with the examples of an ordinary and of a slow run."""
    slow = pytest.param(many, id="many", marks=pytest.mark.slow)
    return pytest.mark.parametrize("examples", [pytest.param(few, id="few"), slow])


def run(check, examples: int, **strategies) -> None:
    """Calls a property with so many examples, the same in every run."""
    settings(COMMON, max_examples=examples)(given(**strategies)(check))()


def holds(few: int = 15, many: int = 500, **strategies):
    """Makes a test of a property that must hold for all that strategies draw.

    The ordinary run tries `few` examples, `pytest -m slow` tries `many`. Both
    are the same in every run.

    Args:
        few: Integer, the examples of the ordinary test.
        many: Integer, the examples of the slow test.
        **strategies: Hypothesis strategies by the arguments of the property.
    """

    def made(check):
        @examples(few, many)
        def test(examples):
            run(check, examples, **strategies)

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        test.__module__ = check.__module__
        return test

    return made


def outcome(function, *arguments, errors=(ValueError,), **named):
    """What a function returns, and the text of the error that it may raise.

    Args:
        function: Function.
        *arguments: Its arguments.
        **named: Its arguments by name.
        errors: Tuple of the kinds of errors that it may raise. Defaults to
            `(ValueError,)`.

    Returns:
        Result and `None`, or `None` and a text.
    """
    try:
        return function(*arguments, **named), None
    except errors as error:
        # A subclass, such as that of Unicode, has no sentence of ours.
        if type(error) not in errors:
            raise
        return None, str(error)
