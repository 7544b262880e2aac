"""What every subcommand of `keras-mixvit` promises alike."""

import re
import shlex

import pytest

from keras_mixvit.cli._main import COMMANDS, main, make_parser
from tests.test_house import PACKAGE

ROOT = PACKAGE.parent
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
DOCS = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    # A description stands between the usage and the arguments.
    assert re.search(r"\n\n[A-Z].*\.\n\n", capsys.readouterr().out, re.DOTALL)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_documentation(name):
    assert f"keras-mixvit {name}" in DOCS


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example_that_is_accepted(name, capsys):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    out = capsys.readouterr().out
    example = re.search(rf"Example:\n\n  keras-mixvit ({name}.*?)\n(?:\n|$)", out, re.S)
    words = shlex.split(example[1].replace("\\\n", " ").split(" > ")[0])
    assert make_parser().parse_args(words).command == name
