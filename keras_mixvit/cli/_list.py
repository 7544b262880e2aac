"""The commands `keras-mixvit recipes` and `keras-mixvit show`."""

import textwrap


def add_recipes(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = commands.add_parser(
        "recipes",
        help="list the recipes with the papers' figures",
        description="Lists the recipes with the papers' figures, and the rows that the "
        "papers quote from others. No figure was measured by this library.",
    )
    command.add_argument(
        "--filter", metavar="TEXT", help="a part of the name, or a pattern with * and ?"
    )


def add_show(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = commands.add_parser(
        "show",
        help="print a recipe, as a file that `train` takes",
        description="Prints a recipe as TOML, with the papers' figures in comments. "
        "Redirect it into a .toml file, change it, and train it with "
        "`keras-mixvit train FILE.toml`.",
    )
    command.add_argument("name", help="name or short name of the recipe")


def run_recipes(filter) -> int:
    """Prints the list."""
    from keras_mixvit.recipes._published_text import figures_of, source_of
    from keras_mixvit.recipes._registry import published_rows, recipe_aliases, recipes

    short = {name: alias for alias, name in recipe_aliases().items()}
    found = recipes(filter)
    published = {}
    for row in published_rows():
        published.setdefault(row.recipe, []).append(row)
    quoted = [row for row in published_rows(filter) if row.recipe is None]
    for made in found:
        alias = f"  ({short[made.name]})" if made.name in short else ""
        print(f"{made.name}{alias}")
        for row in published.get(made.name, ()):
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
    from keras_mixvit.recipes._published_text import figures_of, source_of
    from keras_mixvit.recipes._recipe_file import recipe_text
    from keras_mixvit.recipes._registry import published_rows, recipe

    made = recipe(name)
    for row in published_rows(recipe=name):
        print(f"# {source_of(row)}: {figures_of(row)}")
        if row.note:
            print(_comment(row.note))
    if made.note:
        print(f"#\n{_comment(made.note)}")
    print(recipe_text(made.replace(note="")), end="")
    return 0


def _comment(text):
    return textwrap.fill(text, 88, initial_indent="#   ", subsequent_indent="#   ")
