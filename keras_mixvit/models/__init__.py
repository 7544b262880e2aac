"""Models: arrangements of a backbone for MIMO training."""

from keras_mixvit.models.ensemble import Ensemble
from keras_mixvit.models.ensembling import ensemble_logits
from keras_mixvit.models.load_model import load_model
from keras_mixvit.models.manifold_mixup import ManifoldMixUp
from keras_mixvit.models.mimo_model import MIMOModel
from keras_mixvit.models.mixmo import MixMo
from keras_mixvit.models.mixvit import MixViT
from keras_mixvit.models.single_network import SingleNetwork

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
