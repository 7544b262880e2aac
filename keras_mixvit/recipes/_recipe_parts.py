"""Makes the parts of a recipe, and changes them by settings."""

from collections.abc import Mapping
from typing import Any

from keras_mixvit._checks import require, require_known
from keras_mixvit.recipes._augmentations import AUGMENTATIONS
from keras_mixvit.recipes._constructors import (
    BACKBONES,
    METHODS,
    OPTIMIZERS,
    PAIRS,
    PIXEL_MIXINGS,
    RESIDUAL,
    Constructor,
    all_constructors,
    augmentation_constructor,
    mixing_constructor,
    pixel_constructor,
)
from keras_mixvit.recipes._fields import PARTS
from keras_mixvit.recipes._part import Part, as_part
from keras_mixvit.recipes._setting_words import setting_words
from keras_mixvit.recipes._settings import SETTINGS
from keras_mixvit.recipes._values import Text, checked, parameters, parsed

NAMED = ("backbone", "method", "augmentation", "pixel_mixing", "optimizer")
OWN_BACKBONE = (
    "A recipe cannot name a backbone of yours: give a `KerasBackbone` to `MixViT`, "
    "`MixMo`, `ManifoldMixUp` or `SingleNetwork`."
)
# Fields of a schedule that have no effect with a value of another option.
WITHOUT_USE = (
    ("batch_rule", "none", "base_batch_size"),
    ("decay_epochs", "()", "decay_rate"),
    ("decay_epochs", (), "decay_rate"),
)
# The names of parts that have options but no name.
NAMES = {
    "backbone": "convit",
    "method": "mixvit",
    "augmentation": "none",
    "pixel_mixing": "none",
}


def checked_parts(given: Mapping[str, Any]) -> dict[str, Any]:
    """Every part of a recipe, with checked options.

    Args:
        given: Dict from the names of parts to the values that a user passed.

    Raises:
        ValueError: If a name or an option is unknown, or of a wrong type.
    """
    found = {name: _settings(name, given[name]) for name in SETTINGS}
    parts = {name: as_part(name, given[name]) for name in PARTS if name not in found}
    for name, default in NAMES.items():
        if not parts[name].name:
            parts[name] = Part(default, **parts[name].options)
    method = parts["method"].name
    require_known("method", method, METHODS)
    for name, part in parts.items():
        constructor = _constructor(name, part.name, method, parts["backbone"].name)
        _require_own(name, part, constructor, method)
        options = constructor.checked(name, part.options)
        found[name] = Part(part.name, **options)
    return found


def _settings(name, value):
    kind = SETTINGS[name]
    if isinstance(value, kind):
        return value
    if name == "data" and isinstance(value, str):
        value = {"name": value}
    value = {} if value is None else value
    require(
        isinstance(value, Mapping),
        f"`{name}` must be a `{kind.__name__}` or a dict.",
        **{name: value},
    )
    return kind(**checked(name, value, parameters(kind)))


def _constructor(part: str, name: str, method: str, backbone: str) -> Constructor:
    """The constructor of a part."""
    if part in ("mixing", "pairs"):
        require(not name, f"`{part}` must not have a name.", **{part: name})
        return PAIRS if part == "pairs" else mixing_constructor(method)
    if part == "pixel_mixing":
        require_known(part, name, PIXEL_MIXINGS)
        return pixel_constructor(name)
    if part == "augmentation":
        require_known(part, name, AUGMENTATIONS)
        return augmentation_constructor(name)
    if part == "optimizer" and not name:
        name = "sgd" if backbone in RESIDUAL else "adamw"
    table = {"backbone": BACKBONES, "method": METHODS, "optimizer": OPTIMIZERS}[part]
    require_known(part, name, table, advice=OWN_BACKBONE if part == "backbone" else "")
    return table[name]


def _require_own(name, part, constructor, method):
    """Refuses an option of another name, such as the depth of a transformer."""
    known = constructor.parameters()
    foreign = [option for option in part.options if option not in known]
    for option in foreign:
        others = all_constructors(name)
        chooser, chosen = name.replace("_", " "), part.name
        require(
            (name, option) != ("optimizer", "learning_rate"),
            "`optimizer.learning_rate` must not be set; set `schedule.learning_rate`.",
            **{"optimizer.learning_rate": part.options[option]},
        )
        if name == "mixing":
            chooser, chosen = "method", method
        elif not chosen:
            chosen = "sgd" if constructor is OPTIMIZERS["sgd"] else "adamw"
        require(
            not any(option in other.parameters() for other in others),
            f"`{name}.{option}` must not be set with the {chooser} {chosen!r}.",
            **{f"{name}.{option}": _meant(part.options[option])},
        )


def _meant(value):
    return parsed(value) if isinstance(value, Text) else value


def settings_of(recipe) -> dict[str, tuple[Any, Any]]:
    """All options of a recipe, with annotation and default.

    Args:
        recipe: `Recipe`, whose parts decide which options exist.
    """
    fields = parameters(recipe.__class__)
    found = {name: fields[name] for name in fields if name not in PARTS}
    for name in PARTS:
        if name in SETTINGS:
            known = parameters(SETTINGS[name])
        else:
            part = getattr(recipe, name)
            constructor = _constructor(
                name, part.name, recipe.method.name, recipe.backbone.name
            )
            known = {
                option: (hint, constructor.defaults.get(option, default))
                for option, (hint, default) in constructor.parameters().items()
            }
        found |= {f"{name}.{option}": known[option] for option in known}
    return found


def with_settings(recipe, settings: list[str] | dict[str, Any]) -> dict[str, Any]:
    """The fields of a recipe that settings change, with their new values.

    Args:
        recipe: `Recipe`.
        settings: As in `Recipe.with_settings`.
    """
    changed: dict[str, Any] = {}
    set_now = set()
    for key, value in setting_words(settings):
        set_now.add(key)
        part, _, option = key.partition(".")
        if part not in PARTS:
            changed[key] = value
            continue
        if part not in changed:
            changed[part] = _options(getattr(recipe, part))
        if isinstance(value, Text) and option in ("", "name"):
            value = str(value)
        changed[part][option or "name"] = value
    for key in changed:
        if key not in PARTS and key not in parameters(recipe.__class__):
            known = settings_of(recipe)
            inside = [name for name in known if name.endswith(f".{key}")]
            require_known("setting", key, inside or known)
    return _without_foreign(recipe, changed, set_now)


def _without_foreign(recipe, changed: dict[str, Any], set_now: set) -> dict[str, Any]:
    """Drops old options that the new constructor of a part does not take."""
    given = {key: value for key, value in changed.items() if key in PARTS}
    names: dict[str, Any] = {
        name: given.get(name, {}).get("name", getattr(recipe, name).name)
        for name in NAMED
    }
    for name in PARTS:
        if name in SETTINGS or not _is_renamed(recipe, name, names):
            continue
        old = _options(getattr(recipe, name))
        new = given.get(name, dict(old))
        own = _constructor(
            name, names.get(name, ""), names["method"], names["backbone"]
        )
        kept = {"name", *own.parameters()}
        changed[name] = {
            key: value
            for key, value in new.items()
            # New settings stay, and raise an error if they do not fit.
            if key in kept or f"{name}.{key}" in set_now
        }
    schedule = changed.get("schedule", {})
    for key, value, without in WITHOUT_USE:
        if schedule.get(key) == value and f"schedule.{without}" not in set_now:
            schedule.pop(without, None)
    return changed


def _is_renamed(recipe, name, names):
    depends = {"mixing": "method", "optimizer": "backbone"}.get(name, name)
    return any(
        key in names and names[key] != getattr(recipe, key).name
        for key in (name, depends)
    )


def _options(part):
    if isinstance(part, Part):
        return part.to_dict()
    return dict(vars(part))
