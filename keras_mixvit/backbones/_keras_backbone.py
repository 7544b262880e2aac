import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras

from keras_mixvit._checks import require
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._cuts import blocks_after, copied, cuts, require_cut
from keras_mixvit.backbones._normalization import as_config, normalized

HUB_VITS = ("keras_hub>ViTBackbone", "keras_hub>ViTImageClassifier")


@dataclass
class Given:
    """The arguments of a backbone.

    Fields:
        config: The serialized model, without its weights.
        policy: Dtype policy, or `None`.
    """

    config: dict[str, Any]
    policy: Any


@dataclass
class KerasParts:
    """The copy of the model that the backbone cuts.

    Fields:
        model: Functional `keras.Model`.
        mixed: The tensor that ends the stem.
        ends: The tensor that ends the body.
        blocks: List of lists of names of layers, as `blocks_after` returns.
    """

    model: keras.Model
    mixed: Any
    ends: Any
    blocks: list[list[str]]


@keras.saving.register_keras_serializable(package="keras_mixvit")
class KerasBackbone(Backbone):
    """Any functional Keras model, cut at two layers into stem, body and trunk.

    Use it for models of `keras.applications` and for your own. It copies your model
    with its weights and does not change it. Further stems of a `MixMo` start as copies
    of the first. If a batch is split over replicas, batch norm uses the whole batch.

    You can cut at a layer if the rest of the model reads only its output. This holds
    for the first and the last layer of a residual stage, but not for those in between.

    Args:
        model: Functional `keras.Model` of one input, images `(B, H, W, C)`,
            without its classifier (`include_top=False`). Its output is a grid
            `(B, h, w, f)`, which the trunk averages, or features `(B, f)`.
        grid: String, the name of the last layer of the stem. `MixMo` mixes its output.
            Height and width of the images must be the same multiple of those of the
            output.
        features: String, the name of the last layer of the body, or `None` for the last
            layer with a grid. Defaults to `None`.
        image_shape: Tuple of integers (H, W, C), or `None` for that of the model.
            Defaults to `None`.
        mean: Float or sequence of C floats, subtracted from the images, or
            `None`. Defaults to `None`.
        std: Positive float or sequence of C floats, by which images are then
            divided, or `None`. Defaults to `None`.
        name: String, the name of the model. Defaults to `"keras_backbone"`.
        dtype: Dtype or dtype policy of all layers, or `None` to keep those of `model`.
            Defaults to `None`.

    Input shape:
        `(B, H, W, C)`.

    Output shape:
        `(B, f)`.

    Raises:
        ValueError: If `model` is not such a model, or you cannot cut it there; the
            error names the nearest layer where you can.

    Example:

    ```python
    resnet = keras.applications.ResNet50(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    backbone = KerasBackbone(resnet, grid="conv1_relu")
    assert backbone.grid_shape == (16, 16)
    assert backbone(np.zeros((2, 32, 32, 3))).shape == (2, 2048)
    ```

    References:
        MixMo, Section 3.1 (stem, mixing, body); MixViT, Section 2.
    """

    def __init__(
        self,
        model: keras.Model,
        grid: str,
        features: str | None = None,
        image_shape: tuple[int, int, int] | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        name: str = "keras_backbone",
        dtype: Any = None,
    ):
        shape = _image_shape(model, image_shape)
        policy = None if dtype is None else keras.dtype_policies.get(dtype)
        own, calls = _copied(model, shape, policy)
        _require_features(own)
        places = cuts(calls, own)
        grids = {
            layer: tensor
            for layer, tensor in places.items()
            if len(tensor.shape) == 4 and None not in tensor.shape[1:]
        }
        whole = {
            layer: tensor
            for layer, tensor in grids.items()
            if _patch_size(shape, tensor.shape) is not None
        }
        mixed = require_cut("grid", grid, calls, whole)
        later = dict(list(grids.items())[list(grids).index(grid) + 1 :])
        require(
            later,
            "`grid` must be a layer before the last one with a grid.",
            grid=grid,
            last=list(grids)[-1],
        )
        last = list(later)[-1] if features is None else features
        ends = require_cut("features", last, calls, later)
        super().__init__(
            shape, _patch_size(shape, mixed.shape), name=name, dtype=_policy(own)
        )
        # As in a config read from a file: with lists, not tuples.
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
        self._given = Given(config, policy)
        self.grid = grid
        self.features = features
        self.mean = as_config(mean)
        self.std = as_config(std)
        # The stages own the layers; in a dataclass, no layer is listed twice.
        self._parts = KerasParts(own, mixed, ends, blocks_after(grid, calls, places))
        self._connect()

    def _connect(self):
        parts = self._parts
        self.stem = self.make_stem()
        self.body = keras.Model(parts.mixed, parts.ends, name="body")
        features = parts.model.output
        if len(features.shape) == 4:
            pool = keras.layers.GlobalAveragePooling2D(
                data_format="channels_last",
                # The model may have a layer with a shorter name.
                name=f"{self.name}_pool",
                dtype=self.dtype_policy,
            )
            features = pool(features)
        self.trunk = keras.Model(parts.ends, features, name="trunk")
        self.built = True

    @property
    def layer_groups(self) -> list[list[keras.layers.Layer]]:
        """The stem; the layers between places where you can cut; an empty group."""
        model, names = self._parts.model, self._parts.blocks
        blocks = [[model.get_layer(name) for name in block] for block in names]
        groups = [[layer for layer in block if layer.weights] for block in blocks]
        return [[self.stem], *filter(None, groups), []]

    def make_stem(self, name: str = "stem") -> keras.Model:
        parts = self._parts
        stem = keras.Model(parts.model.input, parts.mixed, name=name)
        if name != "stem":
            # Each variable of a model needs its own path.
            suffix = name.removeprefix("stem")
            stem = copied(stem, self.image_shape, suffix)[0]
            stem = keras.Model(stem.input, stem.output, name=name)
        if self.mean is None and self.std is None:
            return stem
        images = keras.Input(self.image_shape, name="images")
        grid = stem(normalized(images, self.mean, self.std))
        return keras.Model(images, grid, name=name)

    def apply_blocks(
        self, grid: Any, maps: dict[str, Any] | None = None, between: Any = None
    ) -> Any:
        grid = self.body(grid)
        return grid if between is None else between(0, grid)

    def apply_trunk(self, grid: Any, maps: dict[str, Any] | None = None) -> Any:
        return self.trunk(grid)

    def head_initializer(self) -> keras.initializers.Initializer | None:
        return None

    def get_config(self) -> dict[str, Any]:
        return {
            "model": copy.deepcopy(self._given.config),
            "grid": self.grid,
            "features": self.features,
            "image_shape": self.image_shape,
            "mean": self.mean,
            "std": self.std,
            "name": self.name,
            "dtype": self._given.policy
            and keras.dtype_policies.serialize(self._given.policy),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        # Keras empties the dict that it reads.
        model = keras.saving.deserialize_keras_object(copy.deepcopy(config["model"]))
        return cls(**{**config, "model": model})


def _image_shape(model, image_shape):
    """The shape of the images that a model takes, or should take."""
    require(
        keras.saving.get_registered_name(type(model)) not in HUB_VITS,
        "`model` must have a layer for each block; in the ViT of keras-hub, one layer "
        "holds all blocks. Use `keras_mixvit.convert.keras_hub_backbone(model)`.",
        model=type(model).__name__,
    )
    require(
        isinstance(model, keras.Model)
        and _is_functional(model)
        and len(model.inputs) == 1
        and len(model.inputs[0].shape) == 4,
        "`model` must be a functional `keras.Model` of one input, images (B, H, W, C).",
        model=model,
    )
    formats = {getattr(layer, "data_format", None) for layer in model.layers}
    require(
        "channels_first" not in formats,
        "`model` must have layers with data_format='channels_last'.",
        model=model.name,
    )
    shape = model.inputs[0].shape[1:] if image_shape is None else image_shape
    require(
        None not in shape,
        "`image_shape` must be given: `model` takes images of any size.",
        image_shape=image_shape,
    )
    return tuple(shape)


def _is_functional(model):
    try:
        return bool(model.inputs) and bool(model.outputs)
    except AttributeError:  # Its class defines `call`.
        return False


def _copied(model, shape, policy):
    try:
        return copied(model, shape, policy=policy)
    except (ValueError, TypeError) as error:
        if tuple(model.inputs[0].shape[1:]) == shape:
            raise
        raise ValueError(
            "`image_shape` must be a shape of images that `model` takes. Received: "
            f"image_shape={shape!r} ({type(error).__name__}: {error})"
        ) from error


def _require_features(model):
    shapes = [tuple(x.shape) for x in model.outputs]
    require(
        len(shapes) == 1 and len(shapes[0]) in (2, 4),
        "`model` must end in a grid (B, h, w, f) or in features (B, f).",
        shapes=shapes,
    )
    activation = getattr(model.layers[-1], "activation", None)
    require(
        activation not in (keras.activations.softmax, keras.activations.sigmoid),
        "`model` must end before its classifier (`include_top=False`): the model "
        "around the backbone adds its own heads.",
        last=model.layers[-1].name,
    )


def _policy(model):
    """The dtype policy of the first layer with weights."""
    policies = [layer.dtype_policy for layer in model.layers if layer.weights]
    return policies[0] if policies else None


def _patch_size(image_shape, grid_shape):
    """The side in pixels of a position of a grid, or `None` if it is not an integer."""
    height, width, _ = image_shape
    _, rows, columns, _ = grid_shape
    size = height // rows
    fits = size > 0 and size * rows == height and size * columns == width
    return size if fits else None
