"""What the stored outputs of keras-hub's ViT and the test that reads them share."""

import contextlib
import json
import zlib
from pathlib import Path

import keras
import numpy as np

from keras_mixvit.convert import keras_hub_backbone

PATH = Path(__file__).parent / "keras_hub_outputs.npz"
NUM_CLASSES = 5
SMALL = {
    "image_shape": (8, 8, 3),
    "patch_size": 4,
    "num_layers": 3,
    "num_heads": 2,
    "hidden_dim": 8,
    "mlp_dim": 16,
}
# The arguments of a backbone, and those of a classifier.
CASES = {
    "token": (SMALL, {}),
    "rectangular": (
        {
            **SMALL,
            "image_shape": (8, 12, 1),
            "num_layers": 4,
            # 22 * (15 / 22) is rounded to less than 15.
            "hidden_dim": 22,
            "mlp_dim": 15,
            "layer_norm_epsilon": 1e-2,
        },
        {},
    ),
    "average": (
        {**SMALL, "num_layers": 2, "use_class_token": False},
        {"pooling": "gap"},
    ),
}


def drawn(path, shape):
    """A weight of order one that depends on nothing but its path and shape."""
    rng = np.random.default_rng(zlib.crc32(path.encode()))
    kind = path.split("/")[-1]
    if kind == "gamma":
        values = rng.uniform(0.5, 1.5, shape)
    elif kind in ("beta", "bias", "class_token"):
        values = 0.1 * rng.standard_normal(shape)
    elif kind == "embeddings":
        values = rng.standard_normal(shape)
    else:
        is_split = path.split("/")[-2] in ("query", "key", "value")
        inputs = shape[0] if is_split else np.prod(shape[:-1])
        values = rng.standard_normal(shape) / np.sqrt(inputs)
    return values.astype("float32")


def images(name):
    shape = CASES[name][0]["image_shape"]
    return np.random.default_rng(0).standard_normal((2, *shape)).astype("float32")


def stored(name):
    """What is stored of a case, by its name without that of the case."""
    with np.load(PATH) as found:
        prefix = f"{name}/"
        return {
            key.removeprefix(prefix): found[key]
            for key in found.files
            if key.startswith(prefix)
        }


def _variable(path, shape, value=None):
    *scopes, name = path.split("/")
    with contextlib.ExitStack() as stack:
        for scope in scopes:
            stack.enter_context(keras.name_scope(scope))
        value = drawn(path, shape) if value is None else value
        return keras.Variable(value, name=name)


class ViTBackbone(keras.Model):
    """Stands for the class of keras-hub: its config and its weights, no computation."""

    def __init__(self, config, shapes, values=None):
        super().__init__()
        self.config = config
        self.data_format = "channels_last"
        values = values or {}
        self.held = [_variable(p, s, values.get(p)) for p, s in shapes.items()]

    def get_config(self):
        return self.config


class ViTImageClassifier(keras.Model):
    """Stands for the class of keras-hub, too."""

    def __init__(self, config, backbone, shapes):
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.held = [_variable(path, shape) for path, shape in shapes.items()]

    def get_config(self):
        return self.config


for kind in (ViTBackbone, ViTImageClassifier):
    keras.saving.register_keras_serializable("keras_hub")(kind)


def stand_in(name, backbone=None, classifier=None, values=None):
    """A classifier that stands for that of a case.

    Args:
        name: String, the name of the case.
        backbone: Dict of what to change in the config of the backbone, or `None`.
        classifier: Dict of what to change in that of the classifier, or `None`.
        values: Dict from paths to values of weights, or `None`.
    """
    found = stored(name)
    facts = json.loads(str(found["facts"]))
    shapes = {path: tuple(shape) for path, shape in facts["shapes"].items()}
    shapes |= {path: value.shape for path, value in (values or {}).items()}
    head = {path: shapes.pop(path) for path in list(shapes) if "predictions" in path}
    made = ViTBackbone({**facts["backbone"], **(backbone or {})}, shapes, values)
    return ViTImageClassifier({**facts["classifier"], **(classifier or {})}, made, head)


def converted(**options):
    """What `keras_hub_backbone` makes of a model that stands for keras-hub's."""
    return keras_hub_backbone(**{"model": stand_in("token"), **options})
