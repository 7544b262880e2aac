from types import SimpleNamespace

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.mixed_pair_dataset import MixedPairDataset
from keras_mixvit.models.compile_config import on_any_backend
from keras_mixvit.models.data_checks import check_arrays, check_dataset
from keras_mixvit.models.distributed_model import DistributedModel
from keras_mixvit.models.epoch_setter import EpochSetter, with_callback
from keras_mixvit.models.loss_checks import label_form, require_loss
from keras_mixvit.models.saved_training import (
    additions,
    current_arguments,
    exclude,
    settings_of,
    warn_of_lost,
)


class CheckedModel(DistributedModel):
    """Keras's `compile`, `fit`, `evaluate` and `predict` around `MIMOModel`.

    They tell in one sentence what does not fit together, lead data sets of
    mixed pairs through their epochs, and set metrics of subnetworks apart.
    """

    def __init__(self, name: str | None = None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        # Inputs keep their precision: what was drawn for images would not
        # survive bfloat16. Layers cast what they take.
        self.autocast = False
        # Held plainly: Keras must neither track nor save what is in here.
        self._held = SimpleNamespace(
            subnetwork_metrics=[], compile_arguments={}, pipeline=None, compiled_for={}
        )

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        metrics=None,
        weighted_metrics=None,
        **kwargs,
    ):
        """Configures the training, as `keras.Model.compile` does.

        Args:
            optimizer: Optimizer or its name. Defaults to `"rmsprop"`.
            loss: Loss of logits with the reduction `"sum_over_batch_size"`,
                or a function of labels and logits. Defaults to `None`.
            metrics: List of metrics. Those with a true attribute
                `on_subnetworks` see the logits of every subnetwork, others
                the ensemble. Defaults to `None`.
            weighted_metrics: List of metrics that see the loss weights. On
                mixed pairs accuracy belongs here: unweighted it counts
                targets that are hardly in the picture. Defaults to `None`.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If the loss has another reduction or takes
                probabilities, or a weighted metric asks for subnetworks.
        """
        require_loss(loss)
        require(
            not any(map(is_on_subnetworks, keras.tree.flatten(weighted_metrics))),
            "`weighted_metrics` must not ask for subnetworks, as `metrics` may.",
            weighted_metrics=weighted_metrics,
        )
        arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            **kwargs,
        }
        subnetwork_metrics = []
        if isinstance(metrics, (list, tuple)):
            subnetwork_metrics = [m for m in metrics if is_on_subnetworks(m)]
            metrics = [m for m in metrics if not is_on_subnetworks(m)]
        super().compile(
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            **kwargs,
        )
        self._held.subnetwork_metrics = subnetwork_metrics
        self._held.compile_arguments = arguments
        self._held.settings = settings_of(self)
        self._held.label_form = label_form(loss)

    # Keras asks a model with its own `compile` for the next two.

    def get_compile_config(self):
        if not self.compiled:
            return {}
        arguments = self._held.compile_arguments
        config = keras.saving.serialize_keras_object(
            current_arguments(self, arguments, self._held.settings)
        )
        warn_of_lost(config)
        return on_any_backend({**config, **additions(self, arguments["metrics"])})

    def compile_from_config(self, config):
        config = dict(config)
        excluded = config.pop("not_decayed", ())
        on_subnetworks = config.pop("on_subnetworks", ())
        arguments = keras.saving.deserialize_keras_object(config)
        for place in on_subnetworks:
            metric = keras.tree.flatten(arguments["metrics"])[place]
            metric.on_subnetworks = True
        self.compile(**arguments)
        if excluded:
            exclude(self, excluded)
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self):
        return super().metrics + self._held.subnetwork_metrics

    def fit(
        self,
        x=None,
        y=None,
        batch_size: int | None = None,
        epochs: int | None = None,
        verbose="auto",
        callbacks=None,
        *,
        validation_data=None,
        shuffle: bool = True,
        **kwargs,
    ):
        """Trains on mixed pairs, as `keras.Model.fit` does.

        Args:
            x: A `MixedPairDataset`, or anything that Keras takes and that
                gives mixed pairs. Defaults to `None`.
            y: Labels, if `x` does not give them. Defaults to `None`.
            batch_size: Integer, for arrays only. Defaults to `None`.
            epochs: Integer; a `MixedPairDataset` knows it. Defaults to
                `None`.
            verbose: What `keras.Model.fit` takes. Defaults to `"auto"`.
            callbacks: List of callbacks, or `None`. Defaults to `None`.
            validation_data: Images and labels `(x, y)`, which validate the
                ensemble, or anything else that `evaluate` takes. Defaults to
                `None`.
            shuffle: Boolean, whether Keras shuffles arrays; a
                `MixedPairDataset` shuffles by itself. Defaults to `True`.
            **kwargs: Further arguments of `keras.Model.fit`.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If `epochs` differs from the data set's, or data do
                not fit the model.
        """
        if isinstance(validation_data, (list, tuple)):
            check_arrays(self, *validation_data[:2])
        if isinstance(x, MixedPairDataset):
            check_dataset(self, x)
            require(
                epochs in (None, x.epochs),
                f"`epochs` must be that of the data set, {x.epochs}.",
                epochs=epochs,
            )
            epochs, shuffle = x.epochs, False
            x = self._own_batches(x)
            self._augment_as(x, "train_function")
            callbacks = with_callback(callbacks, EpochSetter(x))
        else:
            check_arrays(self, x, y)
        return super().fit(
            x,
            y,
            batch_size=batch_size,
            epochs=1 if epochs is None else epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_data=validation_data,
            shuffle=shuffle,
            **kwargs,
        )

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Loss and metrics of the ensemble, or of mixed pairs.

        Args:
            x: Images, mixed pairs, or a data set of either. Defaults to
                `None`.
            y: Labels, if `x` does not give them. Defaults to `None`.
            *args: Further arguments of `keras.Model.evaluate`.
            **kwargs: Further arguments of `keras.Model.evaluate`.

        Returns:
            As `keras.Model.evaluate`.

        Raises:
            ValueError: If data do not fit the model.
        """
        check_arrays(self, x, y)
        before = self._held.pipeline
        if isinstance(x, MixedPairDataset):
            self._augment_as(x, "test_function")
        try:
            return super().evaluate(x, y, *args, **kwargs)
        finally:
            # `fit` validates between its epochs.
            self._held.pipeline = before

    def _augment_as(self, dataset, function):
        """Makes one kind of steps augment images as a data set asks for."""
        pipeline = dataset.pipeline if dataset.augments_on_device else None
        self._held.pipeline = pipeline
        if self._held.compiled_for.get(function) is not pipeline:
            # A compiled step holds what was done before.
            setattr(self, function, None)
            self._held.compiled_for[function] = pipeline

    @property
    def temperature(self) -> float:
        """What `predict(x, calibrated=True)` divides logits by; it can be set."""
        return self._held.temperature

    @temperature.setter
    def temperature(self, temperature):
        require(
            0 < temperature < float("inf"),
            "`temperature` must be a positive finite number.",
            temperature=temperature,
        )
        self._held.temperature = float(temperature)

    def predict(self, x, *args, calibrated: bool = False, **kwargs):
        """Logits `(n, K)` of the ensemble for images.

        Args:
            x: Images, or a data set of them.
            *args: Further arguments of `keras.Model.predict`.
            calibrated: Boolean, whether to divide logits by the model's
                temperature. Defaults to `False`.
            **kwargs: Further arguments of `keras.Model.predict`.

        Returns:
            Array `(n, K)`.

        Raises:
            ValueError: If images do not fit the model.
        """
        check_arrays(self, x, None)
        logits = super().predict(x, *args, **kwargs)
        return logits / np.float32(self.temperature) if calibrated else logits


def is_on_subnetworks(metric) -> bool:
    """Whether a metric asks for the logits of every subnetwork."""
    return getattr(metric, "on_subnetworks", False)
