"""Finds every layer call of a network on one image, with its shapes."""

import re

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.backbones import Backbone
from keras_mixvit.costs._keras_costs import LayerCall
from keras_mixvit.layers import BinarizedPatchCutMix, RandomPatchCutMix, SubnetworkHeads
from keras_mixvit.layers._source_attribution import SourceAttribution
from keras_mixvit.layers._source_statistics import SourceStatistics
from keras_mixvit.models import MIMOModel

STAGES = ("stem", "body", "trunk")
STAGE_CLASSES = {
    BinarizedPatchCutMix: "mixing",
    RandomPatchCutMix: "mixing",
    SourceAttribution: "attribution",
    SourceStatistics: "attribution",
    SubnetworkHeads: "heads",
}


class Relay(keras.Operation):
    """Replaces a layer in a copy of its graph, so the layer itself is not called."""

    def __init__(self, outputs, name):
        super().__init__(name=name)
        self.outputs = outputs

    def compute_output_spec(self, *inputs):
        return self.outputs


class LayerCalls:
    """Walks networks and collects `(path, stage, LayerCall)` in `found`.

    Batches have one image, so a longer batch axis shows that a layer runs once per
    subnetwork. Keras copies the graph (`clone_model`); in the copy, a `Relay` replaces
    every layer, so no layer is called.

    Args:
        training: Boolean, whether layers are called in training.
    """

    def __init__(self, training: bool):
        self.training = training
        self.found: list[tuple[str, str | None, LayerCall]] = []
        self.stage_calls: list[str] = []
        self._stages: dict[int, str] = {}

    def learn_stages(self, model: MIMOModel) -> None:
        """Records to which stage of a model, or of its models, each layer belongs."""
        for network in model.layers:
            stage = named_stage(network)
            if isinstance(network, MIMOModel):
                self.learn_stages(network)
            elif stage is not None:
                self._stages[id(network)] = stage
                self._stages.update({id(layer): stage for layer in network.layers})

    def walk(self, network, shapes=None, path="", stage=None):
        """Walks a functional network; returns the specs of its outputs."""
        # Works on a view: the copy of a compiled model would compile, too.
        view = keras.Model(list(network.inputs), list(network.outputs))
        if shapes is None:
            shapes = [(1, *x.shape[1:]) for x in view.inputs]
        require(
            all(None not in shape for shape in shapes),
            "`model` must have inputs of a known size, except for the batch.",
            shapes=shapes,
        )
        inputs = [
            keras.Input(batch_shape=shape, dtype=x.dtype, name=f"input_{i}")
            for i, (shape, x) in enumerate(zip(shapes, view.inputs, strict=True))
        ]
        producers: dict[int, str | None] = {}
        count = 0

        def call_function(layer, *args, **kwargs):
            nonlocal count
            count += 1
            tensors = [x for x in keras.tree.flatten((args, kwargs)) if is_tensor(x)]
            symbolic = [x for x in tensors if keras.utils.is_keras_tensor(x)]
            inherited = [producers[id(x)] for x in symbolic if id(x) in producers]
            where = self._stage(layer, stage, inherited)
            outputs = self._visit(layer, args, kwargs, tensors, path, where)
            outputs = Relay(outputs, f"call_{count}")(*symbolic)
            for output in keras.tree.flatten(outputs):
                producers[id(output)] = where
            return outputs

        copy = keras.models.clone_model(
            view,
            input_tensors=inputs,
            clone_function=lambda layer: layer,
            call_function=call_function,
        )
        return [specification(x) for x in copy.outputs]

    def walk_stages(self, backbone, path="", stage=None):
        """Walks through the stages of a backbone, one after the other."""
        networks = (backbone.stem, backbone.body, backbone.trunk)
        for name, network in zip(STAGES, networks, strict=True):
            self.walk(network, None, f"{path}{name}/", stage or name)

    def _visit(self, layer, args, kwargs, tensors, path, stage):
        path = f"{path}{layer.name}"
        shapes = [tuple(x.shape) for x in tensors]
        if is_functional(layer):
            if stage in STAGES and layer.name.startswith(stage):
                self.stage_calls.append(stage)
            return self.walk(layer, shapes, f"{path}/", stage)
        outputs = keras.tree.map_structure(
            specification, layer.compute_output_spec(*args, **kwargs)
        )
        if isinstance(layer, Backbone):
            self.walk_stages(layer, f"{path}/", stage)
        elif isinstance(layer, MIMOModel):
            self.learn_stages(layer)
            self.walk(layer.inference_network, shapes, f"{path}/", None)
        else:
            output = tuple(keras.tree.flatten(outputs)[0].shape)
            call = LayerCall(layer, tuple(shapes), output, self.training, args)
            self.found.append((path, stage, call))
        return outputs

    def _stage(self, layer, enclosing, inherited):
        """The stage of a call: by class, by model, by name, or that of its inputs."""
        for kind, stage in STAGE_CLASSES.items():
            if isinstance(layer, kind):
                return stage
        if id(layer) in self._stages:
            return self._stages[id(layer)]
        stage = named_stage(layer) or enclosing
        if stage is not None:
            return stage
        is_operation = not isinstance(layer, keras.layers.Layer)
        return next(filter(None, inherited), None) if is_operation else None


def is_functional(model) -> bool:
    """Whether a model is a graph of layers: functional, or a built `Sequential`."""
    try:
        return isinstance(model, keras.Model) and bool(model.inputs)
    except AttributeError:  # Its class defines `call`.
        return False


def named_stage(layer) -> str | None:
    """The stage in the name of a graph of layers, such as `stem_1`."""
    named = re.fullmatch(r"(stem|body|trunk)(_\d+)?", layer.name)
    return named[1] if named and is_functional(layer) else None


def is_tensor(x) -> bool:
    """Whether an argument of a call is a tensor or an array."""
    classes = (keras.KerasTensor, keras.Variable, np.ndarray)
    return keras.ops.is_tensor(x) or isinstance(x, classes)


def specification(x):
    """A new symbolic tensor of the same shape and dtype."""
    return keras.KerasTensor(x.shape, x.dtype)
