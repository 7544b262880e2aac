"""What every subcommand of `keras-mixvit` promises alike."""

import re

import pytest

from keras_mixvit.cli._main import COMMANDS, main
from tests.test_house import PACKAGE

README = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    # A description stands between the usage and the arguments.
    assert re.search(r"\n\n[A-Z].*\.\n\n", capsys.readouterr().out, re.DOTALL)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name):
    assert f"keras-mixvit {name}" in README
