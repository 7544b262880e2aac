"""Checks the values of a timm `config.json` that this library uses."""

from keras_mixvit._checks import is_integer, require

LARGEST = 2**20


def require_config(config: dict) -> dict:
    """Requires the right kinds of values in a `config.json`.

    Args:
        config: Dict, the content of the file. `num_classes` and all of `pretrained_cfg`
            may be missing or null.

    Returns:
        The dict `pretrained_cfg`, without null values.

    Raises:
        ValueError: If a value is of another kind.
    """
    classes = config.get("num_classes")
    require(
        classes is None or (is_integer(classes) and 0 <= classes <= LARGEST),
        "`num_classes` in config.json must be an integer of at least 0.",
        num_classes=classes,
    )
    trained = config.get("pretrained_cfg")
    trained = {} if trained is None else trained
    require(
        isinstance(trained, dict),
        "`pretrained_cfg` in config.json must be a dict.",
        pretrained_cfg=trained,
    )
    size = trained.get("input_size")
    require(
        size is None or (_is_list(size, 3) and all(map(_is_side, size))),
        "`input_size` in config.json must be three positive integers.",
        input_size=size,
    )
    channels = 3 if size is None else size[0]
    for name in ("mean", "std"):
        values = trained.get(name)
        require(
            values is None
            or (
                _is_list(values, channels)
                and all(_is_number(value) for value in values)
                and (name == "mean" or min(values) > 0)
            ),
            f"`{name}` in config.json must be {channels} "
            f"{'numbers' if name == 'mean' else 'positive numbers'}.",
            **{name: values},
        )
    return {name: value for name, value in trained.items() if value is not None}


def _is_list(value, length):
    return isinstance(value, (list, tuple)) and len(value) == length


def _is_side(value):
    return is_integer(value) and 0 < value <= LARGEST


def _is_number(value):
    return (isinstance(value, float) or is_integer(value)) and abs(value) <= LARGEST
