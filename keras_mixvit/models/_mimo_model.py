from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import (
    require_choice,
    require_positive_integer,
    require_temperature,
)
from keras_mixvit._kept_steps import KeepsSteps
from keras_mixvit._many_steps import ManySteps
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.distribution._distributed_runs import DistributedRuns
from keras_mixvit.models._backbone_methods import require_own_paths
from keras_mixvit.models._compiling import Compiling
from keras_mixvit.models._data_checks import is_pair, require_pairs
from keras_mixvit.models._ensembling import ensemble_logits
from keras_mixvit.models._files import Files
from keras_mixvit.models._keras_workarounds import keep_precision_of_inputs
from keras_mixvit.models._model_state import ModelState
from keras_mixvit.models._on_batch import OnBatch
from keras_mixvit.models._runs import Runs
from keras_mixvit.models._step_functions import make_steps_augment
from keras_mixvit.models._step_inputs import (
    augmented,
    labels_for,
    per_subnetwork,
)
from keras_mixvit.models._steps import Steps


class MIMOModel(
    Runs,
    OnBatch,
    Compiling,
    Files,
    DistributedRuns,
    Steps,
    KeepsSteps,
    ManySteps,
    keras.Model,
):
    """A classifier of M subnetworks that learns from mixed pairs of images.

    It is the base class of `MixViT`, `MixMo` and the other models, with two graphs that
    share their layers: `training_network` from `{"images", "masks"}` to logits
    `(B, M, K)`, and `inference_network` from `(B, H, W, C)` to subnetwork logits
    `(B, M, K)`. Call the model on a mixed pair, and it runs the first; call it on
    images, and it returns the ensemble of the second. So `fit` learns from mixed pairs,
    and `evaluate(x, y)`, `predict(x)` and `validation_data=(x, y)` use the ensemble.

    A training step minimizes the papers' weighted sum of one loss per subnetwork,
    $L = \\sum_{m=1}^{M} w_m \\, \\ell(y_m, \\hat{y}_m)$. The masks set $w_m$, and
    `loss_weights` passes $M w_m$ as sample weights `(B, M)` to Keras, whose loss is
    the mean over B and M. Metrics whose attribute `on_subnetworks` is true see the
    logits `(B, M, K)`, all others see the ensemble.

    A subclass stores its layers as attributes, for Keras to track, save and list,
    and passes the two graphs to `_connect`. Each mixin covers one subject; this class
    defines what the model computes.

    Args:
        image_shape: Tuple of integers (H, W, C).
        num_classes: Integer, the number K of classes.
        num_subnetworks: Integer, the number M of subnetworks.
        ensemble_of: `"logits"` or `"probabilities"`, what the ensemble
            averages; its output is always logits. Defaults to `"logits"`.
        temperature: Positive float, by which `predict(x, calibrated=True)`
            divides logits. Defaults to `1.0`.
        name: String, the name of the model, or `None`. Defaults to `None`.
        dtype: Dtype or dtype policy, or `None` for the global policy.
            Defaults to `None`.
        backbone: `Backbone` whose layers a subclass uses, or `None`. Its dtype policy
            is the default. Defaults to `None`.

    Raises:
        ValueError: If an argument is out of its range.

    References:
        MixViT, Eq. 1; MixMo, Eq. 3.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        num_subnetworks: int,
        ensemble_of: str = "logits",
        temperature: float = 1.0,
        name: str | None = None,
        dtype: Any = None,
        backbone: Backbone | None = None,
    ):
        if dtype is None and backbone is not None:
            dtype = backbone.dtype_policy
        super().__init__(name=name, dtype=dtype)
        keep_precision_of_inputs(self)
        self._held = ModelState(backbone)
        require_positive_integer("num_classes", num_classes)
        require_choice("ensemble_of", ensemble_of, ("logits", "probabilities"))
        height, width, channels = image_shape
        self.image_shape = height, width, channels
        self.num_classes = num_classes
        self.num_subnetworks = num_subnetworks
        self.ensemble_of = ensemble_of
        self.temperature = temperature

    def _connect(self, training_network, inference_network):
        self._held.training_network = training_network
        self._held.inference_network = inference_network
        self.built = True
        if self._held.backbone is not None:
            require_own_paths(self)

    @property
    def training_network(self) -> keras.Model:
        """The graph from `{"images", "masks"}` to logits `(B, M, K)`."""
        return self._held.training_network

    @property
    def inference_network(self) -> keras.Model:
        """The graph from images to subnetwork logits `(B, M, K)`."""
        return self._held.inference_network

    @property
    def inference_schemes(self) -> tuple:
        """The values of `inference` that you can use with the trained model.

        The model's own value comes first. Indices are left out, because `"parallel"`
        includes their predictions. Empty for a model without that argument.
        """
        return ()

    def inference_network_of(self, inference: str | int) -> keras.Model:
        """The `inference_network` for another `inference`, with shared weights.

        Args:
            inference: Value of `inference`, as in the constructor.

        Returns:
            A graph from images to subnetwork logits `(B, M, K)`.

        Raises:
            ValueError: If the model has no such scheme.
        """
        require_choice("inference", inference, self.inference_schemes)
        return self.inference_network

    @property
    def learns_from_images(self) -> bool:
        """Whether `fit` takes images that are not mixed, too."""
        return self.num_subnetworks == 1

    @property
    def takes_pairs(self) -> bool:
        """Whether the model can be called on mixed pairs."""
        return True

    @property
    def num_mixed_layers(self) -> int | None:
        """The number of layers at which mixed pairs mix samples, or `None`."""
        return None

    @property
    def temperature(self) -> float:
        """The positive number that divides the logits to calibrate them.

        `predict(x, calibrated=True)`, `ensemble()` and `export` divide by it.
        """
        return self._held.temperature

    @temperature.setter
    def temperature(self, temperature: float) -> None:
        require_temperature(temperature)
        self._held.temperature = float(temperature)

    @property
    def _device_images(self) -> Any:
        pipeline = self._held.pipeline
        return None if pipeline is None else pipeline.device_images

    def augment_as(self, dataset: MixedPairDataset) -> None:
        """Makes steps augment images as a data set with `"draws"` specifies.

        `fit` and `evaluate` do this for a `MixedPairDataset`. Call it yourself before
        you use such a data set in another form, such as `as_tf_dataset()`.

        Args:
            dataset: `MixedPairDataset`.
        """
        make_steps_augment(self, dataset, "train_function")
        make_steps_augment(self, dataset, "test_function")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Logits `(B, M, K)` of mixed pairs, or `(B, K)` of the ensemble for images."""
        if not isinstance(inputs, dict):
            logits = self.inference_network(inputs, training=training)
            return ensemble_logits(logits, self.ensemble_of)
        if "draws" in inputs or "indices" in inputs:
            inputs = augmented(inputs, self._held.pipeline)
        if "masks" in inputs:
            require_pairs(self)
            return self.training_network(inputs, training=training)
        return self.inference_network(inputs["images"], training=training)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Shape of the outputs, for shapes of images or of mixed pairs."""
        if not isinstance(input_shape, dict):
            return (input_shape[0], self.num_classes)
        graph = self.training_network
        if "masks" not in input_shape:
            graph = self.inference_network
        images = input_shape.get("images") or input_shape["indices"]
        return (images[0], *graph.output.shape[1:])

    def compute_output_spec(
        self, inputs: Any, training: bool | None = None
    ) -> keras.KerasTensor:
        """Shape and dtype of the outputs; logits keep full precision."""
        shapes = keras.tree.map_structure(lambda x: tuple(x.shape), inputs)
        if not isinstance(inputs, dict):
            dtype = "float32"
        elif "masks" in inputs:
            dtype = self.training_network.output.dtype
        else:
            dtype = self.inference_network.output.dtype
        return keras.KerasTensor(self.compute_output_shape(shapes), dtype)

    def loss_weights(self, ratios: Any) -> Any:
        """Weights `(B, M)` of the losses, from the shares of the inputs in the masks.

        An input with a larger share gets a larger weight. Keras averages over B and M,
        but the paper sums over M, hence the factor M.

        Args:
            ratios: Tensor `(B, M)`, the mean of each input's mask.

        Returns:
            Tensor `(B, M)`, which sums to M over the subnetworks.

        References:
            MixViT, Eq. 1.
        """
        return ratios * ratios.shape[1]

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool | None = True,
    ) -> Any:
        """Keras's loss of every subnetwork's prediction, with its weights."""
        y, y_pred = self._matched(x, y, y_pred)
        sample_weight = per_subnetwork(x, sample_weight)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        """Keras's metrics, after updating those of subnetworks."""
        if len(y_pred.shape) == 3:
            labels = self._labels(x, y)
            if not is_pair(x):
                labels = ops.repeat(labels[:, None], y_pred.shape[1], axis=1)
            for metric in self._held.compiled.subnetwork_metrics:
                metric.update_state(labels, y_pred)
        y, y_pred = self._matched(x, y, y_pred)
        sample_weight = per_subnetwork(x, sample_weight)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _matched(self, x, y, y_pred):
        if not is_pair(x) and len(y_pred.shape) == 3:
            y_pred = ensemble_logits(y_pred, self.ensemble_of)
        return self._labels(x, y), y_pred

    def _labels(self, x, y):
        form = self._held.compiled.label_form
        return labels_for(form, is_pair(x), y, self.num_classes)
