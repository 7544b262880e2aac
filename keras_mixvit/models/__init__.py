"""Models: classifiers with several inputs and outputs, built on a backbone."""

from keras_mixvit.models._ensemble import Ensemble
from keras_mixvit.models._ensembling import ensemble_logits
from keras_mixvit.models._load_model import load_model
from keras_mixvit.models._manifold_mixup import ManifoldMixUp
from keras_mixvit.models._mimo_model import MIMOModel
from keras_mixvit.models._mixmo import MixMo
from keras_mixvit.models._mixvit import MixViT
from keras_mixvit.models._single_network import SingleNetwork

__all__ = [
    "Ensemble",
    "MIMOModel",
    "ManifoldMixUp",
    "MixMo",
    "MixViT",
    "SingleNetwork",
    "ensemble_logits",
    "load_model",
]
