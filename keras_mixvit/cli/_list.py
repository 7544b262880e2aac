"""The commands `keras-mixvit recipes` and `keras-mixvit show`."""

import textwrap

from keras_mixvit._start import start
from keras_mixvit.cli._help import add_command


def add_recipes(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "recipes",
        help="list the recipes with the papers' results",
        description="Lists the recipes with the papers' results, and the rows that the "
        "papers quote from others. This library measured none of these results.",
        example="recipes --filter 'cifar100-wrn28-10-*'",
        usage="[options]",
    )
    command.add_argument(
        "--filter",
        metavar="TEXT",
        help="only names that contain TEXT, or match it as a pattern with * and ?",
    )


def add_show(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "show",
        help="print a recipe as a file that you can change and train",
        description="Prints a recipe as TOML, with the papers' results in comments. "
        "Redirect it into a .toml file, change it, and train it with "
        "`keras-mixvit train FILE.toml`. If you give it such a file, it prints the "
        "whole recipe, or an error that says what is wrong.",
        example="show mixvit-convit > mine.toml",
        usage="NAME",
    )
    command.add_argument(
        "name", metavar="NAME", help="a recipe, by its name, short name or .toml file"
    )


def run_recipes(filter) -> int:
    """Prints the list."""
    from keras_mixvit.recipes._names import matches, recipe_aliases
    from keras_mixvit.recipes._papers import stored_recipes
    from keras_mixvit.recipes._published_rows import published_rows
    from keras_mixvit.recipes._published_text import figures_of, source_of

    short = {name: alias for alias, name in recipe_aliases().items()}
    found = [
        name for name in stored_recipes() if filter is None or matches(name, filter)
    ]
    published: dict[str | None, list] = {}
    for row in published_rows():
        published.setdefault(row.recipe, []).append(row)
    quoted = [row for row in published_rows(filter) if row.recipe is None]
    for name in found:
        alias = f"  ({short[name]})" if name in short else ""
        print(f"{name}{alias}")
        for row in published.get(name, ()):
            print(f"    {source_of(row)}: {figures_of(row)}")
    if quoted:
        print("Quoted by the papers, without a recipe:")
        for row in quoted:
            print(f"    {source_of(row)}: {figures_of(row)}")
    names = f"{len(found)} recipes, {len(quoted)} quoted rows"
    print(f"{names}. `keras-mixvit show NAME` prints one.")
    return 0


def run_show(name) -> int:
    """Prints one recipe."""
    from keras_mixvit.recipes._names import is_recipe_file, whole_name
    from keras_mixvit.recipes._papers import stored_recipes
    from keras_mixvit.recipes._published_rows import published_rows
    from keras_mixvit.recipes._published_text import figures_of, source_of
    from keras_mixvit.recipes._recipe_toml import from_toml, to_toml

    if is_recipe_file(name):
        from_toml(name)
        # What its parts build decides what fits and what is a default.
        start()
        from keras_mixvit.recipes._recipe_file import read_recipe, recipe_text

        print(recipe_text(read_recipe(name)), end="")
        return 0
    values = dict(stored_recipes()[whole_name(name)])
    note = values.pop("note", "")
    for row in published_rows(recipe=name):
        print(f"# {source_of(row)}: {figures_of(row)}")
        if row.note:
            print(_comment(row.note))
    if note:
        print(f"#\n{_comment(note)}")
    print(to_toml(values), end="")
    return 0


def _comment(text):
    return textwrap.fill(text, 88, initial_indent="#   ", subsequent_indent="#   ")
