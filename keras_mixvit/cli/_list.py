"""The commands `keras-mixvit recipes` and `keras-mixvit show`."""

import dataclasses


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
        help="print a recipe in full",
        description="Prints every value of a recipe, where it was published, and what "
        "had to be chosen.",
    )
    command.add_argument("name", help="name or short name of the recipe")


def run_recipes(filter) -> int:
    """Prints the list."""
    from keras_mixvit.recipes._published_text import figures_of, source_of
    from keras_mixvit.recipes._registry import published_rows, recipe_aliases, recipes

    short = {name: alias for alias, name in recipe_aliases().items()}
    found = recipes(filter)
    quoted = [row for row in published_rows(filter) if row.recipe is None]
    for made in found:
        alias = f"  ({short[made.name]})" if made.name in short else ""
        print(f"{made.name}{alias}")
        for row in made.published:
            print(f"    {source_of(row)}: {figures_of(row)}")
    if quoted:
        print("Quoted by the papers, without a recipe:")
        for row in quoted:
            print(f"    {source_of(row)}: {figures_of(row)}")
    names = f"{len(found)} recipes, {len(quoted)} quoted rows"
    print(f"{names}. `keras-mixvit show NAME` prints one in full.")
    return 0


def run_show(name) -> int:
    """Prints one recipe."""
    from keras_mixvit.recipes._published_text import figures_of, source_of
    from keras_mixvit.recipes._registry import recipe

    made = recipe(name)
    print(made.name)
    for row in made.published:
        print(f"  {source_of(row)}: {figures_of(row)}")
        if row.note:
            print(f"    {row.note}")
    if made.note:
        print(f"  Note: {made.note}")
    for field in dataclasses.fields(made):
        value = getattr(made, field.name)
        if field.name not in ("name", "published", "note"):
            changed = "" if value == field.default else "*"
            text = "none" if value is None else value
            print(f"  {changed:1}{field.name}={text}")
    print("  (* differs from the default of `Recipe`)")
    return 0
