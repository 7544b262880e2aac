import warnings

import keras
from keras import ops

from keras_mixvit._checks import (
    require,
    require_choice,
    require_positive_integer,
)
from keras_mixvit.models._argument_checks import require_weights
from keras_mixvit.models._checked_model import CheckedModel
from keras_mixvit.models._class_weights import weights_of
from keras_mixvit.models._data_checks import is_pair, require_pairs
from keras_mixvit.models._ensembling import ensemble_logits
from keras_mixvit.models._export_checks import require_export
from keras_mixvit.models._export_options import export_options
from keras_mixvit.models._graph import Graph
from keras_mixvit.models._step_inputs import (
    augmented,
    labels_for,
    per_subnetwork,
    weighted,
)

PAIR_FORM = (
    "`x` must be a mixed pair, a dict of `images` (B, M, H, W, C) and `masks` "
    "(B, M, h, w), as `mixed_pair_dataset` yields."
)


class MIMOModel(CheckedModel):
    """A classifier of M subnetworks, trained on mixed pairs of images.

    It holds two functional graphs that share their layers: `training_network`
    from `{"images", "masks"}` to logits `(B, M, K)`, and `inference_network`
    from `(B, H, W, C)` to subnetwork logits `(B, M, K)`. Called on a mixed
    pair, the model is the first; called on images, the ensemble of the
    second. So `fit` learns from mixed pairs, while `evaluate(x, y)`,
    `predict(x)` and `validation_data=(x, y)` are about the ensemble.

    A training step is the papers' weighted sum of one loss per subnetwork:
    masks become the sample weights `(B, M)` of a Keras training step, which
    is otherwise Keras's own. Metrics with an attribute `on_subnetworks` that
    is true are given the logits `(B, M, K)`, all others the ensemble.

    A subclass makes its layers as attributes, which is what is tracked, saved
    and listed, and passes the two graphs to `_connect`.

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
        dtype=None,
    ):
        super().__init__(name=name, dtype=dtype)
        require_positive_integer("num_classes", num_classes)
        require_choice("ensemble_of", ensemble_of, ("logits", "probabilities"))
        self.image_shape = tuple(image_shape)
        self.num_classes = num_classes
        self.num_subnetworks = num_subnetworks
        self.ensemble_of = ensemble_of
        self.temperature = temperature

    def _connect(self, training_network, inference_network):
        self._held.training_network = training_network
        self._held.inference_network = inference_network
        self.built = True

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
        """The values of `inference` that the trained model can be run with.

        The model's own is the first. Indices are left out: what they predict
        is part of `"parallel"`. Empty for a model without the choice.
        """
        return ()

    def inference_network_of(self, inference: str | int) -> keras.Model:
        """The `inference_network` of another scheme, weights shared.

        Args:
            inference: What the constructor takes.

        Returns:
            A graph from images to subnetwork logits `(B, M, K)`.

        Raises:
            ValueError: If the model has no such scheme.
        """
        require_choice("inference", inference, self.inference_schemes)
        return self.inference_network

    @property
    def learns_from_images(self) -> bool:
        """Whether `fit` takes images that are not mixed."""
        return self.num_subnetworks == 1

    @property
    def takes_pairs(self) -> bool:
        """Whether the model can be called on mixed pairs."""
        return True

    def __dir__(self):
        # Keras saves what `dir` lists. Weights are saved with the layers
        # alone, so that a file does not depend on the graphs around them.
        graphs = {"training_network", "inference_network", "backbone"}
        return [name for name in super().__dir__() if name not in graphs]

    def save_own_variables(self, store):
        super().save_own_variables(store)
        # Keras does not save them. A file without them is an older one.
        for place, state in enumerate(self._seed_states()):
            store[f"seed_{place}"] = keras.ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        states = self._seed_states()
        if len(store.keys()) == len(states):
            for place, state in enumerate(states):
                state.assign(store[f"seed_{place}"])

    def _seed_states(self):
        return [v for v in self.variables if v.name == "seed_generator_state"]

    def augment_as(self, dataset) -> None:
        """Makes steps augment images as a data set with `"draws"` asks for.

        `fit` and `evaluate` do so for a `MixedPairDataset`; where such a data
        set comes in another form, as `as_tf_dataset()`, call it before.

        Args:
            dataset: `MixedPairDataset`.
        """
        self._augment_as(dataset, "train_function")
        self._augment_as(dataset, "test_function")

    def call(self, inputs, training=None):
        if not isinstance(inputs, dict):
            logits = self.inference_network(inputs, training=training)
            return ensemble_logits(logits, self.ensemble_of)
        if "draws" in inputs or "indices" in inputs:
            inputs = augmented(inputs, self._held.pipeline)
        if "masks" in inputs:
            require_pairs(self)
            return self.training_network(inputs, training=training)
        return self.inference_network(inputs["images"], training=training)

    def compute_output_shape(self, input_shape):
        if not isinstance(input_shape, dict):
            return (input_shape[0], self.num_classes)
        graph = self.training_network
        if "masks" not in input_shape:
            graph = self.inference_network
        images = input_shape.get("images") or input_shape["indices"]
        return (images[0], *graph.output.shape[1:])

    def compute_output_spec(self, inputs, training=None):
        """Shape and dtype of the outputs: logits are not rounded."""
        shapes = keras.tree.map_structure(lambda x: tuple(x.shape), inputs)
        if not isinstance(inputs, dict):
            dtype = "float32"
        elif "masks" in inputs:
            dtype = self.training_network.output.dtype
        else:
            dtype = self.inference_network.output.dtype
        return keras.KerasTensor(self.compute_output_shape(shapes), dtype)

    def ensemble(self) -> keras.Model:
        """The ensemble as a functional classifier of images, weights shared."""
        images = keras.Input(self.image_shape, name="images")
        logits = self.inference_network(images)
        outputs = ensemble_logits(logits, self.ensemble_of)
        return Graph(images, outputs, name=f"{self.name}_ensemble")

    def export(
        self,
        filepath,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature=None,
        **kwargs,
    ):
        """Writes the ensemble, a classifier of images, to be run without Keras.

        Args:
            filepath: Path to write to: a folder for `"tf_saved_model"`, else
                a file ending in `.onnx`, `.tflite` or `.pt2`.
            format: `"tf_saved_model"` (on TensorFlow, or on JAX with
                TensorFlow installed), `"onnx"` or `"litert"` (on TensorFlow),
                or `"torch"` (on PyTorch). Defaults to `"tf_saved_model"`.
            verbose: Boolean, whether Keras prints what it wrote, or `None`
                for its default. Defaults to `None`.
            input_signature: What `keras.Model.export` takes, or `None` for
                images in batches of any size. Defaults to `None`.
            **kwargs: Further arguments of `keras.Model.export`.

        Raises:
            ValueError: If the backend does not write the format, with the way
                round, or the path does not suit it.
            ModuleNotFoundError: If a package that the format needs is missing.
        """
        require_export(str(filepath), format)
        ensemble = self.ensemble()
        if format == "onnx":
            # Keras refuses this format to a model that was never called.
            ensemble(ops.zeros((1, *self.image_shape)))
        with warnings.catch_warnings():
            # Keras's own, about NumPy.
            warnings.simplefilter("ignore", FutureWarning)
            ensemble.export(
                filepath,
                format=format,
                verbose=verbose,
                input_signature=input_signature,
                **{**export_options(format, input_signature), **kwargs},
            )

    def loss_weights(self, ratios):
        """Weights `(B, M)` of the losses, from the ratios really drawn.

        The larger the share of an input, the larger its weight. Keras
        averages over B and M where the paper sums over M, hence the factor M.

        Args:
            ratios: Tensor `(B, M)`, the mean of each input's mask.

        Returns:
            Tensor `(B, M)`, which sums to M over the subnetworks.

        References:
            MixViT, Eq. 1.
        """
        return ratios * ratios.shape[1]

    def train_step(self, *args):
        *state, data = args  # JAX passes its state first.
        return super().train_step(*state, self._weighted(data, training=True))

    def test_step(self, *args):
        *state, data = args
        return super().test_step(*state, self._weighted(data, training=False))

    def _weighted(self, data, training):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        require_weights(sample_weight, self.num_subnetworks if is_pair(x) else None)
        if training and self._held.class_weights is not None:
            rank = 2 if is_pair(x) else 1
            by_class = weights_of(y, self._held.class_weights, rank)
            sample_weight = weighted(by_class, sample_weight)
        if not isinstance(x, dict):
            require(
                not training or self.learns_from_images,
                PAIR_FORM,
                x=f"{type(x).__name__} of shape {tuple(getattr(x, 'shape', ()))}",
            )
            if sample_weight is not None:
                sample_weight = ops.reshape(sample_weight, (-1,))
            # Without masks the model gives subnetwork logits, from which
            # `_matched` makes what a loss or a metric asks for.
            return {"images": x}, y, sample_weight
        ratios = ops.mean(ops.cast(x["masks"], "float32"), axis=(2, 3))
        weights = self.loss_weights(ratios)
        return x, y, weighted(weights, sample_weight)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        y, y_pred = self._matched(x, y, y_pred)
        sample_weight = per_subnetwork(x, sample_weight)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if len(y_pred.shape) == 3:
            labels = self._labels(x, y)
            if not is_pair(x):
                labels = ops.repeat(labels[:, None], y_pred.shape[1], axis=1)
            for metric in self._held.subnetwork_metrics:
                metric.update_state(labels, y_pred)
        y, y_pred = self._matched(x, y, y_pred)
        sample_weight = per_subnetwork(x, sample_weight)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _matched(self, x, y, y_pred):
        if not is_pair(x) and len(y_pred.shape) == 3:
            y_pred = ensemble_logits(y_pred, self.ensemble_of)
        return self._labels(x, y), y_pred

    def _labels(self, x, y):
        return labels_for(self._held.label_form, is_pair(x), y, self.num_classes)
