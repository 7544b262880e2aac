"""Values of a wrong type end in a sentence that names the argument."""

import functools
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from keras_mixvit import (
    CaiT,
    ImageFolder,
    MixMo,
    MixViT,
    augmentation,
    evaluate,
    load,
    load_corrupted,
    load_model,
    mixed_pair_dataset,
)
from keras_mixvit.analysis import weighting_curves
from keras_mixvit.convert import (
    fetch,
    load_mixmo_weights,
    load_timm_weights,
    pretrained_backbone,
    read_weights,
    timm_weights,
)
from keras_mixvit.data import ImageArray, ImageSet, PixelMixing, inspect
from keras_mixvit.evaluation import corrupt
from keras_mixvit.layers import GatedPositionalAttention, LayerScale
from keras_mixvit.masks import FMixMasks, PatchCutMix
from keras_mixvit.prediction import predict
from keras_mixvit.recipes import (
    Recipe,
    chosen_recipe,
    published_rows,
    read_recipe,
    recipe,
    recipes,
)
from keras_mixvit.report import write_report
from keras_mixvit.schedules import WarmupStepDecay
from keras_mixvit.training import (
    compare,
    evaluate_run,
    export,
    resume,
    study,
    train,
)
from tests.contract.metric_cases import METRIC_CASES
from tests.convert.keras_hub_cases import converted
from tests.helpers import tiny_cait
from tests.prediction.undrawn_page import undrawn_page
from tests.properties import outcome

X = np.zeros((6, 4, 4, 1), "uint8")
Y = np.array([0, 1, 2, 0, 1, 2])
WRONG = [
    *(None, 3, -1, 1.5, True, "a", "", b"a", float("nan"), object()),
    *([], {}, (), [1, 2, 3], (1, "a"), (None, None)),
    *(np.array([1, 2]), np.array(["a"])),
]


@functools.cache
def network():
    return MixViT(tiny_cait(num_blocks=1, num_class_blocks=1), 5)


def replaced(**changes):
    return Recipe().replace(**changes)


def mixvit(**options):
    return MixViT(network().backbone, 5, **options)


def loaded(weights, **options):
    return load_timm_weights(network(), weights, **options)


def evaluated(**options):
    return evaluate(network(), verbose=0, **options)


def predicted(**options):
    return list(predict(**{"run": network(), **options}))


def served(**options):
    return undrawn_page(**{"run": network(), **options})


def trained(**options):
    # No set of that name: nothing is trained.
    return train(**{"recipe": Recipe(data="./missing"), **options})


def studied(**options):
    # Its images are missing: nothing is trained.
    text = 'seeds = [0]\nbaseline = "a"\n[rows.a]\ndata = "./missing"\n'
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mine.toml"
        file.write_text(text)
        return study(**{"file": str(file), "tell": str, **options})


# Functions, arguments that they always get, and the arguments to try.
CASES = {
    "load": (load, {"name": "mine.npz"}, ["name", "split", "data_dir"]),
    "load sizes": (
        load,
        {"name": "mine.npz", "image_size": 8},
        ["image_size", "resize_share", "on_error", "leave_out", "val_share"],
    ),
    "inspect": (inspect, {"name": "mine.npz"}, ["name", "data_dir"]),
    "load_corrupted": (
        load_corrupted,
        {"name": "cifar10", "corruption": "fog", "severity": 1, "data_dir": "."},
        ["name", "corruption", "severity", "data_dir"],
    ),
    "ImageArray": (
        ImageArray,
        {"images": X, "image_size": (8, 8)},
        ["images", "image_size", "resize_share"],
    ),
    "ImageFolder": (
        ImageFolder,
        {"folder": "."},
        ["folder", "files", "image_size", "channels", "resize_share"],
    ),
    "ImageSet": (
        ImageSet,
        {"images": X, "labels": Y, "class_names": ("a", "b", "c")},
        ["images", "labels", "class_names", "mean", "std"],
    ),
    "mixed_pair_dataset": (
        mixed_pair_dataset,
        {"x": X, "y": Y, "masks": PatchCutMix(2), "epochs": 1, "batch_size": 2},
        [
            *("masks", "epochs", "batch_size", "seed", "repetitions", "workers"),
            *("input_repetition", "input_order", "num_classes", "apply_on"),
            *("keep_on_device", "shard_groups"),
        ],
    ),
    "load_timm_weights": (loaded, {"weights": {}}, ["weights"]),
    "load_mixmo_weights": (
        load_mixmo_weights,
        {"model": None, "weights": {}},
        ["weights", "model"],
    ),
    "timm_weights": (lambda s: timm_weights(network(), s), {}, ["s"]),
    "read_weights": (read_weights, {}, ["path"]),
    "fetch": (fetch, {}, ["name"]),
    "pretrained_backbone": (
        pretrained_backbone,
        {"name": "./missing"},
        ["name", "changes"],
    ),
    "keras_hub_backbone": (converted, {}, ["model", "image_size", "changes"]),
    "Recipe.from_dict": (Recipe.from_dict, {}, ["values"]),
    "Recipe.replace": (
        replaced,
        {},
        [
            *("data", "backbone", "method", "mixing", "pairs", "augmentation"),
            *("pixel_mixing", "loss", "optimizer", "schedule", "name", "batch_size"),
            *("epochs", "epoch_scale", "ensemble_of", "precision", "seed", "note"),
        ],
    ),
    "Recipe.with_settings": (Recipe().with_settings, {}, ["settings"]),
    "Recipe.scaled": (Recipe().scaled, {}, ["factor"]),
    "read_recipe": (read_recipe, {}, ["path"]),
    "recipe": (recipe, {}, ["name"]),
    "recipes": (recipes, {}, ["filter"]),
    "published_rows": (published_rows, {}, ["filter", "recipe"]),
    "chosen_recipe": (chosen_recipe, {}, ["data", "settings", "scale", "epochs"]),
    "compare": (compare, {}, ["runs"]),
    "resume": (resume, {}, ["run"]),
    "evaluate_run": (evaluate_run, {}, ["run"]),
    "export": (export, {"run": "missing", "format": "onnx"}, ["run", "format"]),
    "train": (trained, {}, ["recipe", "data_dir", "on_error"]),
    "load_model": (load_model, {}, ["path"]),
    "RandomErasing": (
        augmentation.RandomErasing,
        {},
        ["probability", "mean", "std"],
    ),
    "RandomResizedCrop": (
        augmentation.RandomResizedCrop,
        {},
        ["size", "scale", "aspect"],
    ),
    "HorizontalFlip": (augmentation.HorizontalFlip, {}, ["probability"]),
    "RandAugment": (
        augmentation.RandAugment,
        {},
        ["num_operations", "magnitude", "deviation"],
    ),
    "AugMix": (augmentation.AugMix, {}, ["severity", "width", "depth"]),
    "PixelMixing": (
        PixelMixing,
        {},
        ["kind", "probability", "alpha", "mixup_alpha", "partners"],
    ),
    "PatchCutMix": (PatchCutMix, {"patch_size": 2}, ["alpha", "num_subnetworks"]),
    "FMixMasks": (FMixMasks, {}, ["decay", "alpha"]),
    "WarmupStepDecay": (
        WarmupStepDecay,
        {"learning_rate": 0.1, "total_steps": 10},
        ["learning_rate", "total_steps", "warmup", "decay_at", "decay_rate"],
    ),
    "LayerScale": (LayerScale, {}, ["initial_value"]),
    "GatedPositionalAttention": (
        GatedPositionalAttention,
        {"num_heads": 4},
        ["num_heads", "dropout_rate", "locality_strength"],
    ),
    "MixViT": (
        mixvit,
        {},
        [
            *("num_subnetworks", "source_attribution", "temperature", "seed"),
            *("attribution_position", "input_mixing", "ensemble_of"),
        ],
    ),
    "MixMo": (lambda r: MixMo(network().backbone, 5, r=r), {}, ["r"]),
    "CaiT": (
        lambda **options: CaiT(
            **{
                **{"image_shape": (8, 8, 1), "patch_size": 4, "width": 8},
                **{"num_heads": 2, "num_blocks": 1, "num_class_blocks": 1},
                **options,
            }
        ),
        {},
        [
            *("image_shape", "patch_size", "mlp_ratio", "layer_scale", "epsilon"),
            *("dropout_rate", "stochastic_depth_rate", "mean", "std", "seed"),
        ],
    ),
    "study": (
        studied,
        {},
        ["file", "runs", "output", "jobs", "seeds", "rows", "report", "data_dir"],
    ),
    "corrupt": (
        corrupt,
        {"images": X, "name": "contrast", "severity": 1},
        ["images", "name", "severity", "seed"],
    ),
    "evaluate": (
        evaluated,
        {"data": (np.zeros((2, 8, 12, 3), "float32"), Y[:2])},
        ["data", "batch_size", "thorough", "ood", "held_out", "bootstrap", "seed"],
    ),
    "predict": (
        predicted,
        {"images": np.zeros((1, 8, 12, 3), "uint8")},
        [
            *("run", "images", "top", "sets", "temperature", "batch_size"),
            *("workers", "max_pixels", "held_out", "verbose"),
        ],
    ),
    "serve": (
        served,
        {},
        ["run", "host", "port", "max_upload", "top", "sets", "temperature", "held_out"],
    ),
    "write_report": (
        write_report,
        {"runs": "missing", "output": "page.html"},
        ["runs", "output", "data", "ood", "examples", "bootstrap", "batch_size"],
    ),
    "weighting_curves": (weighting_curves, {}, ["rs"]),
    **METRIC_CASES,
}


@pytest.mark.parametrize(
    ("case", "argument"),
    [(case, argument) for case, (_, _, names) in CASES.items() for argument in names],
)
def test_a_wrong_type_is_used_or_refused_in_a_sentence(
    case, argument, tmp_path, monkeypatch
):
    function, given, _ = CASES[case]
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", x_train=X, y_train=Y)
    before = sorted(os.listdir())
    for value in WRONG:
        _, refusal = outcome(function, **{**given, argument: value})
        assert refusal is None or (" must " in refusal and "Received: " in refusal)
    assert sorted(os.listdir()) == before
