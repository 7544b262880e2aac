"""Multi-input multi-output training of image classifiers in Keras 3."""

import importlib

from keras_mixvit._start import installed_backends, is_command
from keras_mixvit._version import __version__ as __version__

# The command prints its help without a backend, and chooses its backend itself.
if not is_command():
    try:
        import keras  # noqa: F401
    except ModuleNotFoundError as error:
        listed = ", ".join(installed_backends()) or "none is"
        raise ModuleNotFoundError(
            f"Keras could not import its backend: {error}. Before you import Keras, "
            "set the environment variable KERAS_BACKEND to a backend that is "
            f"installed: {listed}."
        ) from error

    from keras_mixvit import (
        augmentation,
        backbones,
        convert,
        data,
        distribution,
        evaluation,
        layers,
        masks,
        metrics,
        models,
        optimizers,
        schedules,
    )
    from keras_mixvit.backbones import (
        CaiT,
        ConViT,
        KerasBackbone,
        PreActResNet,
        ResNet,
        ViT,
        WideResNet,
        make_backbone,
    )
    from keras_mixvit.data import (
        ImageFolder,
        ImageSource,
        load,
        load_corrupted,
        mixed_pair_dataset,
    )
    from keras_mixvit.evaluation import evaluate
    from keras_mixvit.models import (
        Ensemble,
        ManifoldMixUp,
        MixMo,
        MixViT,
        SingleNetwork,
        load_model,
    )


__all__ = [
    "CaiT",
    "ConViT",
    "Ensemble",
    "ImageFolder",
    "ImageSource",
    "KerasBackbone",
    "ManifoldMixUp",
    "MixMo",
    "MixViT",
    "PreActResNet",
    "ResNet",
    "SingleNetwork",
    "ViT",
    "WideResNet",
    "augmentation",
    "backbones",
    "convert",
    "data",
    "distribution",
    "evaluate",
    "evaluation",
    "layers",
    "load",
    "load_corrupted",
    "load_model",
    "make_backbone",
    "masks",
    "metrics",
    "mixed_pair_dataset",
    "models",
    "optimizers",
    "schedules",
]

# Imported on first use: they are large, and few programs use them.
ON_FIRST_USE = ("analysis", "costs", "prediction", "recipes", "report", "training")


def __getattr__(name: str):
    if name in ON_FIRST_USE:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "predict":
        return importlib.import_module(f"{__name__}.prediction").predict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *ON_FIRST_USE, "predict"})
