"""The examples of all docstrings run."""

import ast
import dataclasses
import importlib
import json
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit import (
    analysis,
    backbones,
    convert,
    data,
    models,
    prediction,
    recipes,
)
from tests.contract.public import BASES, PUBLIC, SOURCES
from tests.convert.keras_hub_cases import stand_in


def examples():
    for source in SOURCES:
        tree = ast.parse(source.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(
                node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            ):
                continue
            docstring = ast.get_docstring(node) or ""
            for code in re.findall(r"```python\n(.*?)```", docstring, re.DOTALL):
                name = getattr(node, "name", source.stem)
                yield pytest.param(name, textwrap.dedent(code), id=name)


def shorten(monkeypatch):
    """Leaves `train` its folder, models and report, on few images."""
    module = importlib.import_module("keras_mixvit.training._finish")

    def few(name, split, **options):
        found = data.load(name, split, **options)
        return dataclasses.replace(
            found, images=found.images[:64], labels=found.labels[:64]
        )

    def fit_nothing(recipe, images, validation, folder, *args, **options):
        model = recipes.model_for(recipe, images)
        model.save(folder / "model.keras")
        return model, SimpleNamespace(best=None, seconds=0.0)

    monkeypatch.setattr("keras_mixvit.training._run_data.load", few)
    monkeypatch.setattr(module, "fit", fit_nothing)
    monkeypatch.setattr(module, "draw_figures", lambda *args: None)


def prepared(name):
    """What some examples take for granted."""
    if name in ("fetch", "pretrained_backbone", "from_preset"):
        save_tiny_cait(Path("my_cait"))
    if name == "keras_hub_backbone":
        return {"vit": stand_in("token").backbone}
    if name == "from_keras_hub":
        return {"classifier": stand_in("token")}
    if name == "mixed_samples":
        digits = data.load("digits", "test")
        model = models.MixViT(backbones.ConViT((8, 8, 1), 2, 8, 2, 1, 1), 10)
        pairs = data.mixed_pair_dataset(
            digits.images, digits.labels, model.mask_sampler(), epochs=1, batch_size=8
        )
        return {"digits": digits, "model": model, "pairs": pairs}
    if name == "training_curves":
        folder = Path("runs/mine")
        folder.mkdir(parents=True)
        text = "epoch,loss,val_accuracy,val_nll\n0,1.0,0.5,0.9\n1,0.5,0.75,0.6\n"
        (folder / "history.csv").write_text(text)
    return {}


def save_tiny_cait(folder):
    """A folder in the hub's layout, as if of a CaiT that is quick to build."""
    from safetensors.numpy import save_file

    cait = backbones.make_backbone("cait_xxs24", (32, 32, 3), num_blocks=1)
    folder.mkdir()
    save_file(convert.timm_weights(cait), folder / "model.safetensors")
    config = {"architecture": "cait_xxs24_224", "num_classes": 10}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.one_backend
@pytest.mark.parametrize(("name", "code"), list(examples()))
def test_example_runs(name, code, tmp_path, monkeypatch):
    if name in ("pretrained_backbone", "from_preset"):
        options = backbones._named.NAMED["cait_xxs24"][1]
        monkeypatch.setitem(options, "num_blocks", 1)
    # Trainings are run by the tests of the recipes; here they take too long.
    if name in ("train", "resume", "compare", "write_report"):
        shorten(monkeypatch)
    if name in (*analysis.__all__, "write_report"):
        pytest.importorskip("matplotlib")
    if name == "serve":
        # Gradio need not be there; tests/prediction/test_serve.py opens the page.
        for drawn in ("require_gradio", "_app", "_launch"):
            monkeypatch.setattr(prediction._serve, drawn, Mock())
    monkeypatch.chdir(tmp_path)
    namespace = {
        "np": np,
        "keras": keras,
        "ops": ops,
        "Path": Path,
        **PUBLIC,
        **prepared(name),
    }
    exec(code, namespace)


@pytest.mark.parametrize("name", sorted(set(PUBLIC) - BASES))
def test_every_public_name_has_an_example(name):
    assert "```python" in PUBLIC[name].__doc__
