from typing import Any

import keras

from keras_mixvit._checks import require
from keras_mixvit._model_mixin import ModelMixin
from keras_mixvit.models._compiled_metrics import is_on_subnetworks, listed, on_rows
from keras_mixvit.models._keras_workarounds import on_any_backend
from keras_mixvit.models._loss_checks import require_loss
from keras_mixvit.models._model_state import CompiledState
from keras_mixvit.models._saved_training import (
    additions,
    current_arguments,
    exclude,
    settings_of,
    warn_of_lost,
)


class Compiling(ModelMixin):
    """Mixin of `MIMOModel`: Keras's `compile`, and the settings that files store.

    It checks loss and metrics, and separates the metrics of subnetworks.
    """

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """Sets optimizer, loss and metrics, as `keras.Model.compile` does.

        Args:
            optimizer: Optimizer or its name. Defaults to `"rmsprop"`.
            loss: Loss of logits with the reduction `"sum_over_batch_size"`, or a
                function of labels and logits. `compile` calls it on a few numbers to
                check that it takes logits. Defaults to `None`.
            metrics: List of metrics. A metric whose attribute `on_subnetworks` is true
                sees the logits `(B, M, K)` of every subnetwork. All others see rows of
                logits `(n, K)`: those of the ensemble, or on mixed pairs those of every
                subnetwork. Defaults to `None`.
            weighted_metrics: List of metrics that use the loss weights. For mixed
                pairs, put accuracy here: unweighted, it counts targets that are hardly
                visible in the picture. Defaults to `None`.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If the loss has another reduction or takes probabilities, a
                metric of Keras takes probabilities, or a weighted metric has
                `on_subnetworks`.
        """
        form = require_loss(loss, self.num_classes)
        all_metrics = listed("metrics", metrics)
        weighted = listed("weighted_metrics", weighted_metrics)
        require(
            not any(map(is_on_subnetworks, weighted)),
            "`weighted_metrics` must not have metrics of subnetworks: pass them in "
            "`metrics`.",
            weighted_metrics=weighted_metrics,
        )
        arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            **kwargs,
        }
        classes = self.num_classes
        super().compile(
            optimizer=optimizer,
            loss=loss,
            metrics=[
                on_rows("metrics", metric, classes, form)
                for metric in all_metrics
                if not is_on_subnetworks(metric)
            ],
            weighted_metrics=[
                on_rows("weighted_metrics", metric, classes, form)
                for metric in weighted
            ],
            **kwargs,
        )
        on_subnetworks = list(filter(is_on_subnetworks, all_metrics))
        self._held.compiled = CompiledState(
            arguments, settings_of(self), on_subnetworks, form
        )

    # Keras needs the next two in a model with its own `compile`.

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile` for a file, with later changes."""
        if not self.compiled:
            return {}
        compiled = self._held.compiled
        config = keras.saving.serialize_keras_object(
            current_arguments(self, compiled.arguments, compiled.settings)
        )
        warn_of_lost(config)
        further = additions(self, compiled.arguments["metrics"])
        return on_any_backend({**config, **further})

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model as the file of a compiled model says."""
        config = dict(config)
        excluded = config.pop("not_decayed", ())
        on_subnetworks = config.pop("on_subnetworks", ())
        arguments = keras.saving.deserialize_keras_object(config)
        for index in on_subnetworks:
            metric = keras.tree.flatten(arguments["metrics"])[index]
            metric.on_subnetworks = True
        self.compile(**arguments)
        if excluded:
            exclude(self, excluded)
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self) -> list:
        """All metrics of the model, those of subnetworks included."""
        return super().metrics + self._held.compiled.subnetwork_metrics
