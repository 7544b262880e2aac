"""The console to which the command prints tables."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def make_console(quiet: bool = False, width: int = 0) -> "Console":
    """A console of rich on stdout.

    Args:
        quiet: Boolean, whether it prints nothing. Defaults to `False`.
        width: Integer, the least number of columns, so that rows of tables are
            not broken over lines. Defaults to `0`.
    """
    from rich.console import Console

    class OnStdout(Console):
        def on_broken_pipe(self):
            # Rich would end the process with status 1.
            raise BrokenPipeError

    console = OnStdout(highlight=False, quiet=quiet)
    console.width = max(console.width, width)
    return console
