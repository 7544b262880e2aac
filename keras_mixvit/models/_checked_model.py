import contextlib
from types import SimpleNamespace

import keras
import numpy as np

from keras_mixvit._checks import is_number, require
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.data._tf_batches import pairs_of
from keras_mixvit.models._argument_checks import (
    full_weights,
    require_effect,
    require_fit_options,
    require_pairs_options,
)
from keras_mixvit.models._class_weights import class_weights
from keras_mixvit.models._compile_config import on_any_backend
from keras_mixvit.models._compiled_metrics import is_on_subnetworks, listed, on_rows
from keras_mixvit.models._data_checks import check_arrays, check_dataset
from keras_mixvit.models._data_passes import led_pairs, passing_over, with_steps
from keras_mixvit.models._distributed_model import DistributedModel
from keras_mixvit.models._epoch_setter import EpochSetter, with_callback
from keras_mixvit.models._loss_checks import require_loss
from keras_mixvit.models._on_batch import OnBatch
from keras_mixvit.models._saved_training import (
    additions,
    current_arguments,
    exclude,
    settings_of,
    warn_of_lost,
)


class CheckedModel(OnBatch, DistributedModel):
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
            subnetwork_metrics=[],
            compile_arguments={},
            pipeline=None,
            compiled_for={},
            class_weights=None,
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
                or a function of labels and logits. It is called on a few
                numbers to see whether it takes logits. Defaults to `None`.
            metrics: List of metrics. Those with a true attribute
                `on_subnetworks` see the logits `(B, M, K)` of every
                subnetwork. All others see rows of logits `(n, K)`: the
                ensemble, or on mixed pairs every prediction of a subnetwork.
                Defaults to `None`.
            weighted_metrics: List of metrics that see the loss weights. On
                mixed pairs accuracy belongs here: unweighted it counts
                targets that are hardly in the picture. Defaults to `None`.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If the loss has another reduction or takes
                probabilities, one of Keras's metrics takes probabilities, or a
                weighted metric asks for subnetworks.
        """
        form = require_loss(loss, self.num_classes)
        plain = listed("metrics", metrics)
        weighted = listed("weighted_metrics", weighted_metrics)
        require(
            not any(map(is_on_subnetworks, weighted)),
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
        subnetwork_metrics = [m for m in plain if is_on_subnetworks(m)]
        plain = [m for m in plain if not is_on_subnetworks(m)]
        classes = self.num_classes
        super().compile(
            optimizer=optimizer,
            loss=loss,
            metrics=[on_rows("metrics", m, classes, form) for m in plain],
            weighted_metrics=[
                on_rows("weighted_metrics", m, classes, form) for m in weighted
            ],
            **kwargs,
        )
        self._held.subnetwork_metrics = subnetwork_metrics
        self._held.compile_arguments = arguments
        self._held.settings = settings_of(self)
        self._held.label_form = form

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
        shuffle: bool | None = None,
        class_weight: dict | str | None = None,
        sample_weight=None,
        steps_per_epoch: int | None = None,
        **kwargs,
    ):
        """Trains on mixed pairs, as `keras.Model.fit` does.

        Args:
            x: A `MixedPairDataset`, its `as_tf_dataset()`, or anything that
                Keras takes and that gives mixed pairs. Defaults to `None`.
            y: Labels, if `x` does not give them. Defaults to `None`.
            batch_size: Integer, for arrays only. Defaults to `None`.
            epochs: Integer; a `MixedPairDataset` knows it. Defaults to
                `None`.
            verbose: What `keras.Model.fit` takes. Defaults to `"auto"`.
            callbacks: List of callbacks, or `None`. Defaults to `None`.
            validation_data: Images and labels `(x, y)`, which validate the
                ensemble, or anything else that `evaluate` takes. Defaults to
                `None`.
            shuffle: Boolean, whether Keras shuffles arrays, or the batches
                of a `PyDataset`. It must not be set for a `MixedPairDataset`,
                which has an argument of its own. `None` is `True` for all
                others. Defaults to `None`.
            class_weight: Dict from classes to the weights of their losses, 1
                for those that it leaves out; `"balanced"` for `n / (K n_k)`,
                with which every class counts alike; or `None`. The weight of
                each input is that of its label, of a soft label the mean. It
                multiplies the other weights, and validation goes without.
                Defaults to `None`.
            sample_weight: Array of weights, `(n,)` or of mixed pairs also
                `(n, M)`, for arrays only. Defaults to `None`.
            steps_per_epoch: Integer, how many batches make an epoch, or `None`
                for all. Of a `MixedPairDataset`, every epoch takes its first
                batches. Defaults to `None`.
            **kwargs: Further arguments of `keras.Model.fit`.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If `epochs` differs from the data set's, data do not
                fit the model, or an argument would have no effect.
        """
        require_effect(
            x,
            y=y,
            batch_size=batch_size,
            sample_weight=sample_weight,
            validation_split=kwargs.get("validation_split"),
        )
        if isinstance(validation_data, (list, tuple)):
            check_arrays(self, *validation_data[:2])
        pairs = x if isinstance(x, MixedPairDataset) else pairs_of(x)
        if pairs is None:
            check_arrays(self, x, y)
        else:
            check_dataset(self, pairs)
            require_pairs_options(pairs, epochs, shuffle)
            epochs, x = pairs.epochs, with_steps(x, steps_per_epoch)
            steps_per_epoch = None
        if isinstance(x, MixedPairDataset):
            x = self._own_batches(x)
        if pairs is not None:
            self._augment_as(x if pairs_of(x) is None else pairs, "train_function")
        epochs = 1 if epochs is None else epochs
        require_fit_options(x, kwargs, validation_data, epochs)
        sample_weight = full_weights(sample_weight, x, self.num_subnetworks)
        if isinstance(validation_data, (list, tuple)) and len(validation_data) == 3:
            given, labels, weights = validation_data
            weights = full_weights(weights, given, self.num_subnetworks)
            validation_data = given, labels, weights
        led = led_pairs(x)
        if isinstance(pairs, MixedPairDataset) and pairs not in led:
            led.append(pairs)
        if shuffle is None:
            shuffle = not led
        self._weigh_classes(class_weights(class_weight, x, y, self.num_classes))
        callbacks = with_callback(callbacks, *([EpochSetter(*led)] if led else []))
        require(
            not steps_per_epoch or steps_per_epoch % self.steps_per_execution == 0,
            "`steps_per_epoch` must be a multiple of `steps_per_execution`: Keras "
            "would run further steps.",
            steps_per_epoch=steps_per_epoch,
            steps_per_execution=self.steps_per_execution,
        )
        with passing_over(x, validation_data), self._releasing(x, pairs):
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_data=validation_data,
                shuffle=shuffle,
                sample_weight=sample_weight,
                steps_per_epoch=steps_per_epoch,
                **kwargs,
            )

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size: int | None = None,
        verbose="auto",
        sample_weight=None,
        steps: int | None = None,
        callbacks=None,
        return_dict: bool = False,
        **kwargs,
    ):
        """Loss and metrics of the ensemble, or of mixed pairs.

        Args:
            x: Images, mixed pairs, or a data set of either. Defaults to
                `None`.
            y: Labels, if `x` does not give them. Defaults to `None`.
            batch_size: Integer, for arrays only. Defaults to `None`.
            verbose: What `keras.Model.evaluate` takes. Defaults to `"auto"`.
            sample_weight: Array of weights, `(n,)` or of mixed pairs also
                `(n, M)`, for arrays only. Defaults to `None`.
            steps: Integer, how many batches to take, or `None` for all.
                Defaults to `None`.
            callbacks: List of callbacks, or `None`. Defaults to `None`.
            return_dict: Boolean, whether to return a dict. Defaults to
                `False`.
            **kwargs: Further arguments of `keras.Model.evaluate`.

        Returns:
            As `keras.Model.evaluate`.

        Raises:
            ValueError: If data do not fit the model, or an argument would
                have no effect.
        """
        is_validation = "_use_cached_eval_dataset" in kwargs
        if not is_validation:
            # `fit` passes its own batch size, and callbacks that know the model.
            require_effect(x, y=y, batch_size=batch_size, sample_weight=sample_weight)
            callbacks = with_callback(callbacks)
        check_arrays(self, x, y)
        if not is_validation:
            sample_weight = full_weights(sample_weight, x, self.num_subnetworks)
        before = self._held.pipeline
        pairs = x if isinstance(x, MixedPairDataset) else pairs_of(x)
        if pairs is not None:
            self._augment_as(pairs, "test_function")
        try:
            with passing_over(x):
                return super().evaluate(
                    x,
                    y,
                    batch_size=batch_size,
                    verbose=verbose,
                    sample_weight=sample_weight,
                    steps=steps,
                    callbacks=callbacks,
                    return_dict=return_dict,
                    **kwargs,
                )
        finally:
            # `fit` validates between its epochs.
            self._held.pipeline = before

    def _augment_as(self, dataset, function):
        """Makes one kind of steps augment images as a data set asks for."""
        pipeline = dataset.pipeline
        if not dataset.augments_on_device and pipeline.device_images is None:
            pipeline = None
        self._held.pipeline = pipeline
        if self._held.compiled_for.get(function) is not pipeline:
            # A compiled step holds what was done before.
            setattr(self, function, None)
            self._held.compiled_for[function] = pipeline

    @contextlib.contextmanager
    def _releasing(self, x, pairs):
        """Gives the memory of images that `fit` put on the device back.

        Args:
            x: What Keras trains on.
            pairs: The data set that it was made of.
        """
        try:
            yield
        finally:
            if isinstance(x, MixedPairDataset) and x.pipeline.device_images is not None:
                x.pipeline.device_images.release()
                self._held.pipeline = (
                    pairs.pipeline if pairs.augments_on_device else None
                )
                if keras.config.backend() == "tensorflow":
                    # A graph holds the tensor that it was traced with.
                    self.train_function = None

    @property
    def _device_images(self):
        pipeline = self._held.pipeline
        return None if pipeline is None else pipeline.device_images

    @property
    def temperature(self) -> float:
        """What `predict(x, calibrated=True)` divides logits by; it can be set."""
        return self._held.temperature

    @temperature.setter
    def temperature(self, temperature):
        require(
            is_number(temperature) and 0 < temperature < float("inf"),
            "`temperature` must be a positive finite number.",
            temperature=temperature,
        )
        self._held.temperature = float(temperature)

    def predict(
        self,
        x,
        batch_size: int | None = None,
        verbose="auto",
        steps: int | None = None,
        callbacks=None,
        *,
        calibrated: bool = False,
    ):
        """Logits `(n, K)` of the ensemble for images.

        Args:
            x: Images, or a data set of them.
            batch_size: Integer, for arrays only. Defaults to `None`.
            verbose: What `keras.Model.predict` takes. Defaults to `"auto"`.
            steps: Integer, how many batches to take, or `None` for all.
                Defaults to `None`.
            callbacks: List of callbacks, or `None`. Defaults to `None`.
            calibrated: Boolean, whether to divide logits by the model's
                temperature. Defaults to `False`.

        Returns:
            Array `(n, K)`.

        Raises:
            ValueError: If images do not fit the model, or an argument would
                have no effect.
        """
        require_effect(x, batch_size=batch_size)
        check_arrays(self, x, None)
        with passing_over(x):
            logits = super().predict(
                x,
                batch_size=batch_size,
                verbose=verbose,
                steps=steps,
                callbacks=with_callback(callbacks),
            )
        return logits / np.float32(self.temperature) if calibrated else logits

    def _weigh_classes(self, weights):
        """Makes training steps weigh classes, or no longer."""
        if not np.array_equal(weights, self._held.class_weights):
            # A compiled step holds the weights.
            self.train_function = None
            self._held.class_weights = weights
