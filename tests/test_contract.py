"""What every public class and function of the package promises alike."""

import ast
import dataclasses
import functools
import importlib
import inspect
import json
import pkgutil
import re
import tempfile
import textwrap
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

import keras_mixvit
from keras_mixvit import (
    analysis,
    augmentation,
    backbones,
    convert,
    costs,
    data,
    distribution,
    evaluation,
    layers,
    masks,
    metrics,
    models,
    recipes,
    schedules,
    training,
)
from keras_mixvit.cli import _main as cli
from keras_mixvit.costs._appendix_a import AppendixA
from keras_mixvit.costs._cost import Cost
from keras_mixvit.costs._flop_report import FlopRow, PerSubnetwork
from tests.helpers import unallocated

BACKEND = keras.config.backend()
PACKAGES = (
    augmentation,
    layers,
    backbones,
    convert,
    models,
    metrics,
    masks,
    data,
    distribution,
    evaluation,
    schedules,
    recipes,
    training,
)
PUBLIC = {
    name: getattr(package, name)
    for package in (*PACKAGES, analysis, costs)
    for name in package.__all__
}
# By their own names: `mixed_pair_dataset` is a short name of a class.
CLASSES = {
    name: item
    for name, item in PUBLIC.items()
    if inspect.isclass(item) and item.__name__ == name
}
# Classes to derive from, whose constructor the derived classes call.
BASES = {
    "Augmentation",
    "Backbone",
    "BinaryMasks",
    "ImageSource",
    "MIMOModel",
    "MaskSampler",
}
SERIALISABLE = sorted(
    name
    for name, item in CLASSES.items()
    if hasattr(item, "get_config")
    and name not in BASES
    # Keras's own class is what it is saved as.
    and name != "SynchronizedBatchNormalization"
)
# Modules that import a backend, which need not be installed.
OF_BACKENDS = {
    "_jax_parallel": "jax",
    "_tensorflow_parallel": "tensorflow",
    "_gradient_buckets": "torch",
    "_torch_peers": "torch",
    "_torch_parallel": "torch",
}
SOURCES = sorted(Path(keras_mixvit.__file__).parent.rglob("*.py"))
MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(keras_mixvit.__path__, "keras_mixvit.")
    if OF_BACKENDS.get(found.name.split(".")[-1], BACKEND) == BACKEND
]

ATTENTION = {
    "num_heads": 2,
    "qkv_bias": False,
    "dropout_rate": 0.1,
    "attention_dropout_rate": 0.2,
    "seed": 3,
}
BLOCK = {
    "mlp_ratio": 2.0,
    "layer_scale": 0.1,
    "epsilon": 1e-3,
    "dropout_rate": 0.1,
    "stochastic_depth_rate": 0.2,
    "seed": 3,
    "recompute": True,
}
BACKBONE = {
    "image_shape": (4, 6, 2),
    "patch_size": 2,
    "width": 8,
    "num_heads": 2,
    "num_blocks": 1,
    "num_class_blocks": 1,
    "mlp_ratio": 2.0,
    "layer_scale": 0.1,
    "epsilon": 1e-3,
    "dropout_rate": 0.1,
    "attention_dropout_rate": 0.2,
    "stochastic_depth_rate": 0.3,
    "mean": (0.1, 0.2),
    "std": 0.5,
    "seed": 3,
    "recompute": True,
    "name": "given",
    "dtype": "mixed_bfloat16",
}
RESIDUAL = {
    "image_shape": (8, 6, 2),
    "widening": 2,
    "l2": 0.01,
    "mean": (0.1, 0.2),
    "std": 0.5,
    "recompute": True,
    "name": "given",
    "dtype": "mixed_bfloat16",
}
BINARY = {"patch_size": 2, "num_subnetworks": 3, "alpha": 0.5, "mixing": "two"}


COST = Cost(multiply_adds=3)


def backbone():
    return backbones.ConViT((4, 6, 2), 2, 8, 2, 1, 1, dtype="mixed_bfloat16")


FLIP = keras.layers.RandomFlip()


@functools.cache
def photos():
    """A folder with an image file."""
    folder = tempfile.mkdtemp()
    keras.utils.save_img(f"{folder}/1.png", np.zeros((4, 4, 3)), scale=False)
    return folder


# Arguments of every public class, none of them at its default value.
ARGUMENTS = {
    "AugMix": lambda: {"severity": 1.0, "width": 2, "depth": 3, "fill": 9.0},
    "KerasLayer": lambda: {"layer": FLIP},
    "RandomResizedCrop": lambda: {
        "size": (4, 6),
        "scale": (0.2, 0.9),
        "aspect": (0.5, 2.0),
    },
    "Augment": lambda: {"augmentations": (augmentation.PadCrop(),)},
    "AutoAugment": lambda: {"policy": "imagenet", "fill": 0.0},
    "HorizontalFlip": lambda: {"probability": 0.25},
    "PadCrop": lambda: {"padding": 2},
    "RandAugment": lambda: {
        "num_operations": 3,
        "magnitude": 5.0,
        "deviation": 0.0,
        "fill": 0.0,
    },
    "RandomErasing": lambda: {"probability": 0.5, "mean": 0.0, "std": (1.0, 2.0, 3.0)},
    "MLP": lambda: {"hidden_width": 8, "dropout_rate": 0.1, "seed": 3},
    "BasicBlock": lambda: {
        "filters": 4,
        "stride": 2,
        "l2": 0.01,
        "recompute": True,
    },
    "BinarizedPatchCutMix": lambda: {
        "patch_size": 2,
        "alpha": 2.0,
        "binarize": False,
        "seed": 3,
    },
    "ClassAttention": lambda: dict(ATTENTION),
    "ClassAttentionBlock": lambda: {
        "attention": layers.ClassAttention(2, seed=4, name="inner"),
        **BLOCK,
    },
    "ClassToken": lambda: {},
    "Dropout": lambda: {"rate": 0.1, "noise_shape": (None, 1), "seed": 3},
    "GatedPositionalAttention": lambda: {
        **ATTENTION,
        "qkv_bias": True,
        "locality_strength": 0.5,
        "grid_shape": (2, 3),
    },
    "LayerScale": lambda: {"initial_value": 0.5},
    "PatchEmbedding": lambda: {"width": 8, "patch_size": 2},
    "PositionEmbedding": lambda: {"dropout_rate": 0.1, "seed": 3},
    "PreActivationBlock": lambda: {
        "filters": 4,
        "stride": 2,
        "kind": "preact",
        "strided": "second",
        "l2": 0.01,
        "recompute": True,
    },
    "ReplicaSeedGenerator": lambda: {"seed": 3, "name": "given"},
    "SelfAttention": lambda: dict(ATTENTION),
    "SourceEmbedding": lambda: {"num_subnetworks": 3},
    "SourceEncoding": lambda: {"num_subnetworks": 3},
    "StochasticDepth": lambda: {"rate": 0.1, "seed": 3},
    "SubnetworkHeads": lambda: {
        "num_classes": 5,
        "num_subnetworks": 3,
        "initializer": keras.initializers.HeNormal(seed=1),
        "l2": 0.01,
    },
    "SynchronizedBatchNormalization": lambda: {},
    "TalkingHeadsAttention": lambda: dict(ATTENTION),
    "TransformerBlock": lambda: {
        "attention": layers.TalkingHeadsAttention(2, seed=4, name="inner"),
        **BLOCK,
    },
    "CaiT": lambda: {**BACKBONE, "qkv_bias": False},
    "ConViT": lambda: {
        **BACKBONE,
        "trunk_attention": "self_attention",
        "qkv_bias": True,
        "locality_strength": 0.5,
    },
    "PreActResNet": lambda: dict(RESIDUAL),
    "ResNet": lambda: dict(RESIDUAL),
    "WideResNet": lambda: {**RESIDUAL, "depth": 10, "strided": "first"},
    "MixMo": lambda: {
        "backbone": backbone(),
        "num_classes": 5,
        "num_subnetworks": 3,
        "r": 2.0,
        "inference": "parallel",
        "num_stems": 1,
        "num_heads": 3,
        "ensemble_of": "probabilities",
        "temperature": 1.5,
        "name": "given",
        "dtype": "mixed_bfloat16",
    },
    "MixViT": lambda: {
        "backbone": backbone(),
        "num_classes": 5,
        "num_subnetworks": 3,
        "source_attribution": "encoding",
        "attribution_position": "early",
        "input_mixing": "averaged_masks",
        "inference": "sum",
        "alternation": "checkerboard",
        "ensemble_of": "probabilities",
        "seed": 3,
        "temperature": 1.5,
        "name": "given",
        "dtype": "mixed_bfloat16",
    },
    "Ensemble": lambda: {
        "models": [
            models.SingleNetwork(backbone(), 5),
            models.SingleNetwork(backbone(), 5),
        ],
        "ensemble_of": "probabilities",
        "temperature": 1.5,
        "name": "given",
        "dtype": "float32",
    },
    "ManifoldMixUp": lambda: {
        "backbone": backbone(),
        "num_classes": 5,
        "places": 2,
        "temperature": 1.5,
        "name": "given",
        "dtype": "mixed_bfloat16",
    },
    "SingleNetwork": lambda: {
        "backbone": backbone(),
        "num_classes": 5,
        "temperature": 1.5,
        "name": "given",
        "dtype": "mixed_bfloat16",
    },
    "Brier": lambda: {"per_class": True, "name": "given", "dtype": "float16"},
    "Disagreement": lambda: {"name": "given", "dtype": "float16"},
    "ECE": lambda: {"bins": 10, "name": "given", "dtype": "float16"},
    "PairwiseKL": lambda: {"name": "given", "dtype": "float16"},
    "RatioError": lambda: {
        "num_subnetworks": 3,
        "name": "given",
        "dtype": "float16",
    },
    "SubnetworkNLL": lambda: {
        "subnetwork": 1,
        "name": "given",
        "dtype": "float16",
    },
    "TopKAccuracy": lambda: {"k": 3, "name": "given", "dtype": "float16"},
    "NLL": lambda: {"name": "given", "dtype": "float16"},
    "SubnetworkAccuracy": lambda: {
        "subnetwork": 1,
        "name": "given",
        "dtype": "float16",
    },
    "BinaryOrLinear": lambda: {
        "binary": masks.CutMixMasks(),
        "linear": masks.LinearMasks(alpha=1.0),
        "probability": 0.25,
    },
    "ConcatenationMasks": lambda: {**BINARY, "direction": "vertical"},
    "CowMasks": lambda: {"patch_size": 2},
    "CutMixMasks": lambda: dict(BINARY),
    "FMixMasks": lambda: {**BINARY, "decay": 2.0},
    "LinearMasks": lambda: {"patch_size": 2, "num_subnetworks": 3, "alpha": 0.5},
    "PatchUpMasks": lambda: dict(BINARY),
    "ManifoldMixing": lambda: {"places": 2, "alpha": 1.0},
    "PixelMixing": lambda: {
        "kind": "cutmix+mixup",
        "probability": 0.25,
        "alpha": 0.5,
        "mixup_alpha": 0.5,
        "partners": "batch",
        "visible_share": False,
    },
    "ConstantMasks": lambda: {"patch_size": 2, "num_subnetworks": 3},
    "PatchCutMix": lambda: {
        "patch_size": 2,
        "num_subnetworks": 3,
        "alpha": 2.0,
        "binarize": False,
        "owner_per": "sample",
        "single_source_ramp": False,
    },
    "Conversion": lambda: {
        "loaded": ("norm.weight",),
        "resized": ("pos_embed",),
        "unused": ("head.bias",),
        "untouched": ("heads/bias",),
    },
    "Pretrained": lambda: {
        "backbone": 1,
        "path": Path("model.safetensors"),
        "num_classes": 7,
        "source_grid": (2, 3),
    },
    "ImageArray": lambda: {
        "images": np.zeros((2, 4, 4, 1), "uint8"),
        "image_size": (2, 2),
        "resize_share": 0.5,
    },
    "ImageFolder": lambda: {
        "folder": photos(),
        "files": ["1.png"],
        "image_size": (2, 2),
        "channels": 3,
        "resize_share": 0.5,
    },
    "TFDSImages": lambda: {
        "records": [],
        "image_shape": (2, 2, 3),
        "varies": True,
        "resize_share": 0.5,
        "key": "picture",
        "indices": [0],
    },
    "FlopReport": lambda: {
        "name": "given",
        "rows": (FlopRow("a", "stem", "Dense", 1, COST),),
        "training": True,
        "skipped": ("b (Mine)",),
        "per_subnetwork": PerSubnetwork(COST, COST),
        "paper": AppendixA(5, 2, 64, 384, 2),
    },
    "CorruptionReport": lambda: {
        "model": "mine",
        "name": "cifar100",
        "rows": [{"corruption": "fog", "severity": 5, "accuracy": 0.5}],
    },
    "EvaluationReport": lambda: {
        "model": "mine",
        "samples": 4,
        "rows": [{"inference": None, "part": "network", "accuracy": 0.5}],
    },
    "RunEvaluation": lambda: {
        "report": None,
        "corrupted": 1,
        "data": "digits",
        "split": "test",
        "temperature": 1.5,
        "fitted_on": "val",
        "calibrated_nll": 0.5,
        "path": Path("evaluation.json"),
    },
    "ImageSet": lambda: {
        "mean": (1.0,),
        "std": (2.0,),
        "images": np.zeros((2, 4, 4, 1), "uint8"),
        "labels": np.array([0, 1], "int32"),
        "class_names": ("zero", "one"),
    },
    "Inspection": lambda: {
        "data": "mine",
        "splits": {},
        "shared": [{"split": "train"}],
        "remarks": ["Look."],
    },
    "SplitFacts": lambda: {
        "images": 2,
        "classes": {"cat": 2},
        "height": (4, 5, 6),
        "width": None,
        "colours": {"L": 2},
        "turned": 1,
        "damaged": {"a.png": "this is no image"},
        "ignored": {".txt": 1},
        "repeated": 1,
    },
    "MixedPairDataset": lambda: {
        "x": np.zeros((5, 4, 4, 1), "uint8"),
        "y": np.eye(5, dtype="float32"),
        "masks": masks.ConstantMasks(2, 1),
        "epochs": 3,
        "batch_size": 2,
        "seed": 3,
        "shuffle": False,
        "drop_remainder": False,
        "repetitions": 2,
        "input_repetition": 0.5,
        "input_order": "random",
        "num_classes": 5,
        "augment": augmentation.Augment([augmentation.PadCrop(1)]),
        "pixel_mixing": data.PixelMixing(),
        "manifold_mixing": data.ManifoldMixing(),
        "apply_on": "device",
        "keep_on_device": False,
        "sample_weight": np.arange(5, dtype="float32"),
        "workers": 2,
    },
    "Parallel": lambda: {"num_replicas": 4, "process_index": 1, "process_count": 2},
    "Published": lambda: {
        "paper": "MixMo",
        "place": "Table 1",
        "row": "CutMix",
        "figures": (("top1", 84.05),),
        "recipe": "mine",
        "note": "given",
    },
    "Recipe": lambda: {
        "name": "given",
        "data": "mine.npz",
        "method": "cut-mixmo",
        "backbone": "wideresnet",
        "depth": 16,
        "num_subnetworks": 3,
        "inference": 1,
        "decay_epochs": (30.0, 40.0),
        "published": (recipes.Published("MixMo", "Table 1", "CutMix"),),
    },
    "WarmupStepDecay": lambda: {
        "learning_rate": 0.01,
        "total_steps": 20,
        "warmup": 0.2,
        "decay_at": (0.5,),
        "decay_rate": 0.2,
    },
}


def parameters(function):
    """Parameters by name, without `self`, `*args` and `**kwargs`."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("self", "cls") and parameter.kind not in several
    }


def own_parameters(cls):
    """Parameters of the constructor, as far as the package writes it."""
    writer = next(base for base in cls.__mro__ if "__init__" in vars(base))
    own = writer.__module__.startswith("keras_mixvit")
    return parameters(cls.__init__) if own else {}


def make(name):
    """An instance with no argument at its default value."""
    arguments = ARGUMENTS[name]()
    if issubclass(CLASSES[name], keras.layers.Layer):
        arguments = {"name": "given", "dtype": "mixed_bfloat16", **arguments}
    return created(name, lambda: CLASSES[name](**arguments))


def created(name, function):
    """What a function makes; a config needs no values of a backbone's weights."""
    is_backbone = issubclass(CLASSES[name], backbones.Backbone)
    return unallocated(function) if is_backbone else function()


def test_the_table_lists_every_public_class():
    assert set(ARGUMENTS) == set(CLASSES) - BASES


# Its options are of one backbone or method or of another, never of all.
@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - {"Recipe"}))
def test_the_table_leaves_no_argument_at_its_default(name):
    arguments = ARGUMENTS[name]()
    expected = own_parameters(CLASSES[name])
    assert set(arguments) == set(expected)
    for argument, parameter in expected.items():
        if parameter.default is not inspect.Parameter.empty:
            assert not np.all(arguments[argument] == parameter.default), argument


@pytest.mark.parametrize("name", SERIALISABLE)
def test_every_constructor_argument_is_in_the_config(name):
    assert set(own_parameters(CLASSES[name])) <= set(make(name).get_config())


def serialized(value):
    """What a config keeps of an argument."""
    objects = (keras.layers.Layer, keras.initializers.Initializer)
    is_object = isinstance(value, objects)
    return keras.saving.serialize_keras_object(value) if is_object else value


@pytest.mark.parametrize("name", SERIALISABLE)
def test_the_config_holds_the_values_that_were_given(name):
    config = make(name).get_config()
    for argument, value in ARGUMENTS[name]().items():
        value = keras.tree.map_structure(serialized, value)
        if argument == "dtype" and isinstance(config["dtype"], dict):
            value = keras.dtype_policies.serialize(keras.DTypePolicy(value))
        assert config[argument] == value, argument


@pytest.mark.parametrize("name", SERIALISABLE)
def test_from_config_gives_the_same_config(name):
    config = make(name).get_config()
    again = created(name, lambda: CLASSES[name].from_config(config))
    assert again.get_config() == config


@pytest.mark.parametrize("name", SERIALISABLE)
def test_the_config_survives_json(name):
    item = make(name)
    text = json.dumps(keras.saving.serialize_keras_object(item))
    again = created(
        name, lambda: keras.saving.deserialize_keras_object(json.loads(text))
    )
    assert type(again) is type(item)
    assert again.get_config() == item.get_config()


@pytest.mark.parametrize("name", SERIALISABLE)
def test_serialisable_classes_are_registered_under_the_package(name):
    registered = keras.saving.get_registered_name(CLASSES[name])
    assert registered == f"keras_mixvit>{name}"


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - set(SERIALISABLE)))
def test_other_classes_hold_their_arguments_as_attributes(name):
    item = make(name)
    for argument, value in ARGUMENTS[name]().items():
        # Keras would start its own threads for an attribute `workers`.
        attribute = "reading_workers" if argument == "workers" else argument
        assert np.array_equal(getattr(item, attribute), value), argument


@pytest.mark.parametrize("base", [backbones.Backbone, models.MIMOModel])
def test_arguments_of_a_base_class_reach_the_config_of_its_subclasses(base):
    derived = [item for item in CLASSES.values() if issubclass(item, base)]
    derived = [item for item in derived if item.__name__ not in BASES]
    kept = set(parameters(base.__init__)) - {"num_subnetworks", "ensemble_of"}
    for item in derived:
        instance = make(item.__name__)
        for argument in kept - {"dtype"}:
            assert hasattr(instance, argument), argument


def test_mixed_pair_dataset_is_the_short_name_of_its_class():
    assert data.mixed_pair_dataset is data.MixedPairDataset


def section(docstring, title="Args"):
    """Entries of a section of a docstring, from names to texts."""
    entries, inside, name = {}, False, None
    for line in inspect.cleandoc(docstring or "").splitlines():
        if line == f"{title}:":
            inside = True
        elif line and not line.startswith(" "):
            inside = False
        elif inside and line:
            entry = re.fullmatch(r"    (\*{0,2}\w+): (.*)", line)
            if entry:
                name = entry[1]
                entries[name] = entry[2]
            else:
                entries[name] += " " + line.strip()
    return entries


def callables():
    """Every class, function and method of the package, by its full name."""
    for module in MODULES:
        for name, item in vars(module).items():
            if getattr(item, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(item):
                yield f"{module.__name__}.{name}", item, parameters(item)
            elif inspect.isclass(item):
                yield f"{module.__name__}.{name}", item, own_parameters(item)
                for method_name, method in vars(item).items():
                    if inspect.isfunction(method):
                        full = f"{module.__name__}.{name}.{method_name}"
                        yield full, method, parameters(method)


def with_arguments():
    for name, item, expected in callables():
        if "Args:" in (item.__doc__ or ""):
            yield pytest.param(item, expected, id=name.removeprefix("keras_mixvit."))


def test_every_public_callable_documents_its_arguments():
    undocumented = []
    for name, item in {**PUBLIC, "main": cli.main}.items():
        needed = own_parameters(item) if inspect.isclass(item) else parameters(item)
        if needed and not section(item.__doc__):
            undocumented.append(name)
    assert not undocumented


@pytest.mark.parametrize(("item", "expected"), list(with_arguments()))
def test_documented_arguments_are_those_of_the_signature(item, expected):
    documented = [name for name in section(item.__doc__) if not name.startswith("*")]
    assert documented == list(expected)


@pytest.mark.parametrize(("item", "expected"), list(with_arguments()))
def test_documented_defaults_are_those_of_the_signature(item, expected):
    for name, text in section(item.__doc__).items():
        if name.startswith("*"):
            continue
        stated = re.findall(r"Defaults to `([^`]*)`", text)
        default = expected[name].default
        if default is inspect.Parameter.empty:
            assert not stated, name
            continue
        assert len(stated) == 1, name
        if inspect.ismodule(default) or inspect.isroutine(default):
            assert stated[0] == default.__name__
        else:
            value = ast.literal_eval(stated[0])
            assert (type(value), value) == (type(default), default), name


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_documented_call_arguments_are_those_of_call(name):
    documented = section(CLASSES[name].__doc__, "Call arguments")
    if documented:
        assert list(documented) == list(parameters(CLASSES[name].call))


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_has_a_docstring(name):
    assert (PUBLIC[name].__doc__ or "").strip()


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
    module = importlib.import_module("keras_mixvit.training._train")

    def few(name, split, **options):
        found = data.load(name, split, **options)
        return dataclasses.replace(
            found, images=found.images[:64], labels=found.labels[:64]
        )

    def fit_nothing(recipe, images, validation, folder, *args, **options):
        model = recipes.model_for(recipe, images)
        model.save(folder / "model.keras")
        return model, SimpleNamespace(best=None, seconds=0.0)

    monkeypatch.setattr(module, "load", few)
    monkeypatch.setattr(module, "fit", fit_nothing)
    monkeypatch.setattr(module, "draw_figures", lambda *args: None)


def prepared(name):
    """What some examples take for granted."""
    if name in ("fetch", "pretrained_backbone", "from_timm"):
        save_tiny_cait(Path("my_cait"))
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


@pytest.mark.parametrize(("name", "code"), list(examples()))
def test_example_runs(name, code, tmp_path, monkeypatch):
    if name in ("pretrained_backbone", "from_timm"):
        options = backbones._named.NAMED["cait_xxs24"][1]
        monkeypatch.setitem(options, "num_blocks", 1)
    # Trainings are run by the tests of the recipes; here they take too long.
    if name in ("train", "resume", "compare"):
        shorten(monkeypatch)
    if name in analysis.__all__:
        pytest.importorskip("matplotlib")
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


@pytest.mark.parametrize(
    "source", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_source_uses_public_keras_only_without_lambda_layers_and_asserts(source):
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert), node.lineno
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        else:
            continue
        for name in names:
            assert not f"{name}.".startswith("keras.src."), node.lineno
            assert not name.endswith("layers.Lambda"), node.lineno


def test_public_names_of_the_package_exist_and_are_sorted():
    for package in (keras_mixvit, *PACKAGES, analysis, costs):
        assert all(hasattr(package, name) for name in package.__all__)
        assert len(set(package.__all__)) == len(package.__all__)


def test_dataclasses_of_the_package_are_frozen():
    for item in CLASSES.values():
        if dataclasses.is_dataclass(item):
            assert item.__dataclass_params__.frozen, item
