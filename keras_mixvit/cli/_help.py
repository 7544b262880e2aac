"""How the help of every subcommand looks."""

import argparse
import textwrap


class Help(argparse.HelpFormatter):
    """Wraps paragraphs, and prints indented lines, such as an example, as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.split("\n\n")
        return "\n\n".join(
            part if part.startswith(" ") else textwrap.fill(part, width)
            for part in paragraphs
        )


def add_command(
    commands, name: str, help: str, description: str, example: str, usage: str
) -> argparse.ArgumentParser:
    """Adds the parser of a subcommand.

    Args:
        commands: What `add_subparsers` returned.
        name: String, the name of the subcommand.
        help: String, what the list of subcommands says of it.
        description: String, one paragraph or several.
        example: String, one call, without `keras-mixvit`, on one line or several.
        usage: String, its arguments in short.
    """
    lines = textwrap.indent(f"keras-mixvit {example}", "  ")
    return commands.add_parser(
        name,
        help=help,
        description=description,
        usage=f"keras-mixvit {name} {usage}",
        epilog=f"Example:\n\n{lines}\n",
        formatter_class=Help,
    )
