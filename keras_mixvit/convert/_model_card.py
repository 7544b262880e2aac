"""The model card of a preset."""

import json
from typing import Any

import keras

LISTED_CLASSES = 20


def model_card(model: keras.Model, config: dict[str, Any], description: str) -> str:
    """The text of a README.md, as the hub shows it.

    Args:
        model: The model.
        config: Dict, the `config.json` of the preset.
        description: String, Markdown about training and results, or `""`.
    """
    kind, backbone = type(model).__name__, type(model.backbone).__name__
    height, width, channels = model.image_shape
    facts = {
        "library_name": "keras_mixvit",
        "pipeline_tag": "image-classification",
        "tags": ["keras", "mimo", "image-classification"],
        **({"license": config["license"]} if config["license"] else {}),
    }
    # JSON is YAML, and quotes whatever a string holds.
    head = "\n".join(f"{name}: {json.dumps(fact)}" for name, fact in facts.items())
    count = model.num_subnetworks
    parts = [
        f"---\n{head}\n---\n",
        f"# {kind} on {backbone}\n",
        f"{_about(kind, count)} It has {model.count_params():,} parameters and "
        f"tells {model.num_classes} classes apart.\n",
        "## Use\n",
        "```python\nimport keras_mixvit\n\n"
        f'model = keras_mixvit.{kind}.from_preset("hf://OWNER/NAME")  # or a folder\n'
        f"logits = model.predict(images)  # (n, {height}, {width}, {channels}), "
        "values 0 to 255\n```\n",
        "## Preparation of images\n",
        f"Images have {height} x {width} pixels and {channels} "
        f"channel{'s' if channels > 1 else ''}, with values from 0 to 255. The "
        "network normalises them itself.\n",
        _classes(config["class_names"]),
        _calibration(model.temperature),
        description,
        "## License\n",
        f"{config['license'] or 'Not given.'}\n",
    ]
    return "\n".join(part for part in parts if part)


def _about(kind, count):
    if count == 1:
        return "One network that classifies images."
    return (
        f"One network that holds {count} subnetworks, trained together on mixed images "
        f"({kind}). Its answer is the mean of the subnetworks."
    )


def _classes(names):
    if not names:
        return ""
    listed = ", ".join(_escaped(name) for name in names[:LISTED_CLASSES])
    more = len(names) - LISTED_CLASSES
    rest = f", and {more} more (in config.json)" if more > 0 else ""
    return f"## Classes\n\n{listed}{rest}.\n"


def _calibration(temperature):
    if temperature == 1:
        return ""
    return (
        "## Calibration\n\nCalibrated probabilities divide the logits by the "
        f"temperature {temperature:.4g}: `model.predict(images, calibrated=True)`.\n"
    )


def _escaped(text):
    """A name of a class, without what Markdown or HTML would read in it."""
    kept = "".join(c if c.isprintable() else " " for c in text)
    for mark in "\\`*_[]<>|#":
        kept = kept.replace(mark, f"\\{mark}" if mark != "<" else "&lt;")
    return kept
