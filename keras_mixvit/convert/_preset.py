"""Presets: a folder, or a repository of the hub, with a whole network."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import keras

from keras_mixvit._checks import is_integer, require
from keras_mixvit._version import __version__
from keras_mixvit.convert._hub import fetch

FORMAT, VERSION = "keras_mixvit", 1


@dataclass(frozen=True)
class Preset:
    """A network in a folder or on the hub, as `save_to_preset` writes it.

    Args:
        model: Dict, the serialized model without weights.
        path: Path of its weights, a `.safetensors` file.
        class_names: Tuple of K strings, or `None` if they are unknown.
        preprocessing: Dict of `image_shape`, the list [H, W, C], and `value_range`, the
            list [0, 255]. The network normalises the images itself.
        license: String, the license of the weights, or `None` if it is not given.

    Example:

    ```python
    network = SingleNetwork(CaiT((8, 8, 1), 2, 16, 4, num_blocks=1), num_classes=2)
    network.save_to_preset("cats_and_dogs", class_names=["cat", "dog"])
    assert read_preset("./cats_and_dogs").class_names == ("cat", "dog")
    ```
    """

    model: dict[str, Any]
    path: Path
    class_names: tuple[str, ...] | None
    preprocessing: dict[str, Any]
    license: str | None

    @classmethod
    def of(cls, config: dict[str, Any], path: Path) -> Self:
        """The preset of a `config.json` and a file of weights.

        Args:
            config: Dict, the content of `config.json`.
            path: Path of the weights.

        Raises:
            ValueError: If a newer version wrote the config, or it is damaged.
        """
        require(
            config.get("format_version") == VERSION,
            f"`name` must be a preset of format version {VERSION}; a newer "
            "keras_mixvit may read others.",
            format_version=config.get("format_version"),
            written_by=config.get("keras_mixvit"),
        )
        model: Any = config.get("model")
        prepared: Any = config.get("preprocessing")
        names, licensed = config.get("class_names"), config.get("license")
        require(
            isinstance(model, dict)
            and isinstance(model.get("config"), dict)
            and isinstance(model["config"].get("backbone"), dict)
            and isinstance(model["config"]["backbone"].get("config"), dict)
            and isinstance(prepared, dict)
            and _is_shape(prepared.get("image_shape"))
            and (licensed is None or isinstance(licensed, str))
            and (names is None or _are_strings(names)),
            "`name` must be a preset with an intact config.json.",
            config=str(path.with_name("config.json")),
        )
        return cls(model, path, names and tuple(names), prepared, licensed)


def is_preset(config: dict[str, Any]) -> bool:
    """Whether a `config.json` is of this library, and not of timm."""
    return config.get("format") == FORMAT


def read_preset(
    name: str | os.PathLike, revision: str | None = None, cache_dir: str | None = None
) -> Preset:
    """Reads what a preset of this library holds, without building the network.

    Args:
        name: String: a repository `"hf://owner/name"` on the hub, or the path of a
            folder, such as `"./cats_and_dogs"`.
        revision: String, a branch, tag or commit on the hub, or `None` for the newest
            one. Defaults to `None`.
        cache_dir: String, the folder for downloaded files, or `None` for the hub
            client's cache. Defaults to `None`.

    Returns:
        A `Preset`.

    Raises:
        ValueError: If there is no such preset, or it is damaged.
        ConnectionError: If the hub cannot be reached.
        ModuleNotFoundError: If the extra `hub` is not installed.

    Example:

    ```python
    network = SingleNetwork(CaiT((8, 8, 1), 2, 16, 4, num_blocks=1), num_classes=2)
    network.save_to_preset("small")
    assert read_preset("./small").preprocessing["image_shape"] == [8, 8, 1]
    ```
    """
    config, path = fetch(name, revision, cache_dir)
    require(
        is_preset(config),
        "`name` must be a preset that `save_to_preset` wrote.",
        name=str(name),
        format=config.get("format"),
    )
    return Preset.of(config, path)


def preset_config(
    model: keras.Model, class_names: Any, license: str | None
) -> dict[str, Any]:
    """The `config.json` of a model."""
    require(
        class_names is None
        or (_are_strings(class_names) and len(class_names) == model.num_classes),
        f"`class_names` must be {model.num_classes} strings, or None.",
        class_names=class_names,
    )
    require(
        license is None or (isinstance(license, str) and license.strip() != ""),
        "`license` must be a name, such as 'mit', or None.",
        license=license,
    )
    serialized = keras.saving.serialize_keras_object(model)
    registered = serialized["registered_name"]
    require(
        keras.saving.get_registered_object(registered) is type(model),
        "`model` must be of a class that is registered with Keras to be a preset: "
        "use `keras.saving.register_keras_serializable`.",
        model=type(model).__name__,
    )
    return {
        "format": FORMAT,
        "format_version": VERSION,
        "keras_mixvit": __version__,
        "keras": keras.version(),
        # Compilation belongs to a training; the weights say how layers were built.
        "model": {
            name: serialized[name]
            for name in ("module", "class_name", "registered_name", "config")
        },
        "class_names": None if class_names is None else list(class_names),
        "preprocessing": {
            "image_shape": list(model.image_shape),
            "value_range": [0, 255],
        },
        "license": license,
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a dict as a readable JSON file."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _are_strings(names):
    return isinstance(names, (list, tuple)) and all(
        isinstance(name, str) for name in names
    )


def _is_shape(shape):
    return (
        isinstance(shape, list)
        and len(shape) == 3
        and all(is_integer(side) and side > 0 for side in shape)
    )
