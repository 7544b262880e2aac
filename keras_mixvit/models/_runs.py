from typing import Any

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit._model_mixin import ModelMixin
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.data._tf_batches import pairs_of
from keras_mixvit.models._argument_checks import (
    full_weights,
    require_effect,
    require_fit_options,
    require_pairs_options,
)
from keras_mixvit.models._class_weights import class_weights
from keras_mixvit.models._data_checks import check_arrays, check_dataset
from keras_mixvit.models._data_passes import led_pairs, passing_over, with_steps
from keras_mixvit.models._keras_workarounds import EpochSetter, with_callback
from keras_mixvit.models._step_functions import (
    make_steps_augment,
    make_steps_weigh,
    releasing_images,
)


class Runs(ModelMixin):
    """Mixin of `MIMOModel`: Keras's `fit`, `evaluate` and `predict`.

    They check that arguments fit together, and set the epochs of data sets of mixed
    pairs.
    """

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        verbose: Any = "auto",
        callbacks: Any = None,
        *,
        validation_data: Any = None,
        shuffle: bool | None = None,
        class_weight: dict[int, float] | str | None = None,
        sample_weight: Any = None,
        steps_per_epoch: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Trains on mixed pairs, as `keras.Model.fit` does.

        Args:
            x: A `MixedPairDataset`, its `as_tf_dataset()`, or any other data of Keras
                with mixed pairs. Defaults to `None`.
            y: Labels, if `x` does not give them. Defaults to `None`.
            batch_size: Integer, samples per step, for arrays only. Defaults to `None`.
            epochs: Integer, the number of epochs; a `MixedPairDataset` knows it.
                Defaults to `None`.
            verbose: As in `keras.Model.fit`. Defaults to `"auto"`.
            callbacks: List of callbacks, or `None`. Defaults to `None`.
            validation_data: Images and labels `(x, y)`, which validate the
                ensemble, or anything else that `evaluate` takes. Defaults to
                `None`.
            shuffle: Boolean, whether Keras shuffles arrays, or the batches of a
                `PyDataset`. Do not set it for a `MixedPairDataset`, which has its own
                argument. For all others, `None` means `True`. Defaults to `None`.
            class_weight: Dict from classes to the weights of their losses, 1 for
                missing classes; `"balanced"` for $n / (K n_k)$, which makes every class
                count the same; or `None`. An input has the weight of its label, or the
                mean weight of a soft label. It multiplies the other weights. Validation
                does not use it. Defaults to `None`.
            sample_weight: Array of weights, `(n,)` or of mixed pairs also
                `(n, M)`, for arrays only. Defaults to `None`.
            steps_per_epoch: Integer, the number of batches per epoch, or `None` for
                all. With a `MixedPairDataset`, every epoch uses its first batches.
                Defaults to `None`.
            **kwargs: Further arguments of `keras.Model.fit`.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If `epochs` differs from that of the data set, data do not fit
                the model, or an argument would have no effect.
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
            dataset = x if pairs_of(x) is None else pairs
            make_steps_augment(self, dataset, "train_function")
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
        make_steps_weigh(self, class_weights(class_weight, x, y, self.num_classes))
        callbacks = with_callback(callbacks, *([EpochSetter(*led)] if led else []))
        require(
            not steps_per_epoch or steps_per_epoch % self.steps_per_execution == 0,
            "`steps_per_epoch` must be a multiple of `steps_per_execution`: Keras "
            "would run extra steps.",
            steps_per_epoch=steps_per_epoch,
            steps_per_execution=self.steps_per_execution,
        )
        steps = self.steps_per_execution
        with (
            passing_over(x, validation_data, batches_per_call=steps),
            releasing_images(self, x, pairs),
        ):
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
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Loss and metrics of the ensemble, or of mixed pairs.

        Args:
            x: Images, mixed pairs, or a data set of either. Defaults to
                `None`.
            y: Labels, if `x` does not give them. Defaults to `None`.
            batch_size: Integer, for arrays only. Defaults to `None`.
            verbose: As in `keras.Model.evaluate`. Defaults to `"auto"`.
            sample_weight: Array of weights, `(n,)` or of mixed pairs also
                `(n, M)`, for arrays only. Defaults to `None`.
            steps: Integer, how many batches to take, or `None` for all.
                Defaults to `None`.
            callbacks: List of callbacks, or `None`. Defaults to `None`.
            return_dict: Boolean, whether to return a dict. Defaults to
                `False`.
            **kwargs: Further arguments of `keras.Model.evaluate`.

        Returns:
            The loss and metrics, as `keras.Model.evaluate` returns them.

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
            make_steps_augment(self, pairs, "test_function")
        try:
            with passing_over(x, batches_per_call=self.steps_per_execution):
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

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
        *,
        calibrated: bool = False,
    ) -> np.ndarray:
        """Logits `(n, K)` of the ensemble for images.

        Args:
            x: Images, or a data set of them.
            batch_size: Integer, for arrays only. Defaults to `None`.
            verbose: As in `keras.Model.predict`. Defaults to `"auto"`.
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
        with passing_over(x, batches_per_call=self.steps_per_execution):
            logits = super().predict(
                x,
                batch_size=batch_size,
                verbose=verbose,
                steps=steps,
                callbacks=with_callback(callbacks),
            )
        return logits / np.float32(self.temperature) if calibrated else logits
