"""The state of a model that Keras must neither track nor save.

Keras tracks lists, dicts and layers among the attributes of a model, but does not
look into dataclasses.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_mixvit.backbones._backbone import Backbone

if TYPE_CHECKING:
    from keras_mixvit.data._image_pipeline import ImagePipeline


@dataclass
class CompiledState:
    """What `compile` received.

    Fields:
        arguments: Dict of its arguments.
        settings: Dict of how steps run, right after `compile`.
        subnetwork_metrics: List of metrics that see every subnetwork.
        label_form: The labels that the loss takes.
    """

    arguments: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    subnetwork_metrics: list = field(default_factory=list)
    label_form: str = "as given"


@dataclass
class ModelState:
    """The state of a `MIMOModel`.

    Fields:
        backbone: `Backbone` whose layers the model uses, or `None`.
        training_network: The graph that `fit` trains.
        inference_network: The graph that `predict` runs.
        attention_networks: Dict of the graphs that `attention_maps` has made.
        temperature: Float, the divisor of calibrated logits.
        compiled: What `compile` received.
        pipeline: What steps do to images, or `None`.
        pipeline_of: Dict from the name of a step function to the pipeline that it was
            compiled for.
        class_weights: Array of class weights, or `None`.
        step_weights: List of the weights that the running step trains, or `None`.
    """

    backbone: Backbone | None = None
    training_network: keras.Model | None = None
    inference_network: keras.Model | None = None
    attention_networks: dict = field(default_factory=dict)
    temperature: float = 1.0
    compiled: CompiledState = field(default_factory=CompiledState)
    pipeline: "ImagePipeline | None" = None
    pipeline_of: dict[str, Any] = field(default_factory=dict)
    class_weights: np.ndarray | None = None
    step_weights: list | None = None
