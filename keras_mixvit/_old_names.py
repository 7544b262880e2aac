"""Names of arguments in files that earlier versions wrote."""

# What an argument was called before, by the class whose config holds it.
RENAMED = {
    "ManifoldMixUp": {"places": "num_layers"},
}


def with_new_names(class_name: str, config: dict) -> dict:
    """A config with the names that the constructor of a class takes.

    Args:
        class_name: String, the name of the class.
        config: Dict of arguments, as a file holds it.
    """
    renamed = RENAMED.get(class_name, {})
    return {renamed.get(name, name): value for name, value in config.items()}
