"""What was trained, how to repeat it, and what it costs."""

import shlex
from typing import Any

from keras_mixvit.data.sets._load import data_label
from keras_mixvit.recipes._differences import published_of, scale_of
from keras_mixvit.recipes._published_text import in_words
from keras_mixvit.recipes._recipe_file import recipe_text
from keras_mixvit.report._judged_runs import JudgedRun, JudgedRuns
from keras_mixvit.report._tables import Table, count, duration, large
from keras_mixvit.training._run_settings import RunSettings

METHODS = {
    "single": "one network with one prediction",
    "mixvit": "MixViT, a transformer whose last layers run once for each subnetwork",
    "cut_mixmo": "Cut-MixMo, which encodes each image alone and puts a patch of the "
    "features of one into those of the other",
    "linear_mixmo": "Linear-MixMo, which encodes each image alone and adds their "
    "features in random shares",
    "mimo": "MIMO, which encodes each image alone and adds their features",
    "manifold_mixup": "manifold MixUp, which mixes the features of two images in one "
    "network",
}


def facts_of(run: JudgedRun) -> dict[str, Any]:
    """The facts about a run, for JSON.

    Args:
        run: `JudgedRun`.
    """
    recipe, known = run.settings.recipe, run.settings.facts or {}
    published, differs = published_of(recipe)
    return {
        "run": run.label,
        "folder": str(run.folder),
        "recipe": recipe.to_dict(),
        "recipe_text": recipe_text(recipe),
        "command": command_of(run.settings, run.result["backend"]),
        "seed": recipe.seed,
        "epochs": recipe.total_epochs,
        "protocol": recipe.data.protocol,
        "backend": run.result["backend"],
        "versions": _words(known.get("versions")),
        "device": known.get("device"),
        "replicas": known.get("replicas"),
        "data": _words(known.get("data"), keep=True),
        "published": in_words(published),
        "differs": differs if published else [],
        "scaled": scale_of(recipe),
    }


def lines_of(facts: dict[str, Any], run: JudgedRun) -> list[tuple[str, str]]:
    """The facts about a run, as pairs of a name and words.

    Args:
        facts: The result of `facts_of`.
        run: `JudgedRun`.
    """
    recipe = run.settings.recipe
    method, members = recipe.method.name, recipe.num_members
    network = run.model
    what = METHODS.get(method, method)
    if members > 1:
        what = f"an ensemble of {members} networks, each of them {what}"
    elif network.num_subnetworks > 1:
        what += f"; {network.num_subnetworks} subnetworks"
    images = facts["data"].get("shapes")
    size = " x ".join(map(str, network.image_shape))
    lines = [
        ("Method", what),
        ("Backbone (it turns images into features)", recipe.backbone.name),
        ("Images", f"{data_label(recipe.data.name)}, {size} (height, width, channels)"),
    ]
    if isinstance(images, dict):
        names = {"train": "training", "val": "validation", "test": "test"}
        parts = [
            f"{shape[0]:,} {names.get(split, split)}"
            for split, shape in images.items()
            if isinstance(shape, list) and shape and isinstance(shape[0], int)
        ]
        lines.append(("Number of images", ", ".join(parts)))
    if isinstance(facts["data"].get("fingerprint"), str):
        about = f"{facts['data']['fingerprint'][:16]}… (same images, same fingerprint)"
        lines.append(("Fingerprint of the images", about))
    lines += [
        ("Training", f"{count(facts['epochs'])} epochs, seed {facts['seed']}"),
        ("Protocol", PROTOCOLS.get(facts["protocol"], facts["protocol"])),
    ]
    if facts["scaled"]:
        lines.append(("Scaled against the full recipe", facts["scaled"]))
    if facts["published"]:
        lines.append(("Published for this recipe", "; ".join(facts["published"])))
        differs = ", ".join(facts["differs"]) or "nothing"
        lines.append(("Differs from the published training in", differs))
    versions = [f"{name} {version}" for name, version in facts["versions"].items()]
    lines.append(("Versions", ", ".join(versions) or "not stored"))
    lines.append(("Backend and device", f"{facts['backend']}, {facts['device']}"))
    return lines


PROTOCOLS = {
    "validation": "the learning curves use validation images, never test images; this "
    "page judges the network after the last epoch",
    "paper": "as in the papers: all training images train the network, and the "
    "learning curves use the images that test it; this page judges the network after "
    "the last epoch",
}


def command_of(settings: RunSettings, backend: str) -> str:
    """The command that trains the run again, from its recipe in `recipe.toml`.

    Args:
        settings: `RunSettings`.
        backend: String.
    """
    words = ["keras-mixvit", "train", "recipe.toml"]
    words.append("--single" if settings.single else "--no-single")
    words.append("--single-cutmix" if settings.single_cutmix else "--no-single-cutmix")
    if settings.data_dir is not None:
        words += ["--data-dir", settings.data_dir]
    return f"KERAS_BACKEND={shlex.quote(backend)} {shlex.join(words)}"


def costs_of(found: JudgedRuns) -> tuple[Table, list[dict[str, Any]]]:
    """What each network costs: a table, and dicts for JSON.

    Args:
        found: `JudgedRuns`.
    """
    table = Table(
        "Cost of each network",
        ["network", "parameters", "FLOPs per image", "relative", "training time"],
        [],
    )
    numbers = []
    for run in found.runs:
        alone = run.networks[0].flops
        for network in run.networks:
            is_known = bool(network.flops and alone)
            relative = network.flops / alone if is_known else None  # type: ignore
            numbers.append(
                {
                    "run": run.label,
                    "network": network.name,
                    "parameters": network.parameters,
                    "flops": network.flops,
                    "seconds": network.seconds,
                }
            )
            table.rows.append(
                [
                    found.name(run, network.name),
                    count(network.parameters),
                    large(network.flops),
                    "–" if relative is None else f"{relative:.2f}",
                    duration(network.seconds) if network.seconds else "–",
                ]
            )
    return table, numbers


def _words(found, keep=False):
    """A dict of a file, which may have been edited; with words as values."""
    found = found if isinstance(found, dict) else {}
    return found if keep else {str(key): str(value) for key, value in found.items()}
