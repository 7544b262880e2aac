"""Puts a recipe on the backbone of a preset."""

from keras_mixvit._checks import require, require_path
from keras_mixvit.convert._hub import fetch
from keras_mixvit.convert._preset import Preset, is_preset
from keras_mixvit.convert._pretrained import backbone_name
from keras_mixvit.recipes._constructors import BACKBONE_CLASSES, FREE, RESIDUAL
from keras_mixvit.recipes._data_facts import FACTS
from keras_mixvit.recipes._part import Part
from keras_mixvit.recipes._recipe import Recipe

# The share of the learning rate for new weights.
RATE_SHARE = 0.1
# The backbones of presets of this library, by their classes.
KINDS = {
    build.__name__: name
    for name, build in BACKBONE_CLASSES.items()
    if name in (*FREE, *RESIDUAL)
}


def on_preset(
    recipe: Recipe, name: str, data: str | None = None
) -> tuple[Recipe, list[str]]:
    """A recipe that starts from the weights of a preset.

    It has the backbone of the preset, its image size unless it has one itself, and a
    tenth of the learning rate.

    Args:
        recipe: `Recipe` of a training from new weights.
        name: Name or path of the preset, as in `from_preset`.
        data: Name or path of the data set to train on, or `None` for that of the
            recipe. Defaults to `None`.

    Returns:
        The `Recipe`, and a list of sentences about its choices.

    Raises:
        ValueError: If there is no such preset, or no recipe describes its backbone.
    """
    require_path("preset", name)
    name = str(name)
    kind, size = _facts(name)
    rate = RATE_SHARE * recipe.learning_rate
    changed = recipe.with_settings(
        {
            "backbone": kind,
            "schedule.learning_rate": rate,
            "schedule.batch_rule": "none",
        }
    )
    remarks = [f"The network starts from {name}, a {kind}."]
    own = FACTS.get(data or recipe.data.name)
    is_other = own is None or own[0][:2] != (size, size)
    if recipe.data.image_size is None and size is not None and is_other:
        changed = changed.with_settings({"data.image_size": size})
        remarks.append(
            f"Images are resized to {size} x {size} pixels, as those that trained the "
            "preset. Change it with data.image_size."
        )
    remarks.append(
        f"Guess: the learning rate is {rate:.3g}, a tenth of the rate for new weights."
    )
    return changed.replace(preset=name, backbone=Part(kind), width_scale=1.0), remarks


def _facts(name):
    """The name of the backbone of a preset, and the side of its square images."""
    config, path = fetch(name)
    if not is_preset(config):
        trained = config.get("pretrained_cfg") or {}
        _, *sides = trained.get("input_size") or (3, None, None)
        return backbone_name(name, config), sides[0] if len(set(sides)) == 1 else None
    preset = Preset.of(config, path)
    found = preset.model["config"]["backbone"].get("class_name")
    require(
        found in KINDS,
        f"`preset` must have a backbone that a recipe describes: {', '.join(KINDS)}.",
        preset=name,
        backbone=found,
    )
    height, width, _ = preset.preprocessing["image_shape"]
    return KINDS[found], height if height == width else None
