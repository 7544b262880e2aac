from dataclasses import dataclass
from typing import Any

import keras

from keras_mixvit._checks import require
from keras_mixvit._model_mixin import ModelMixin
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.data.sources._batch_reader import closing
from keras_mixvit.distribution._find_parallel import find_parallel, predict_spread
from keras_mixvit.distribution._parallel import Parallel, Part, arguments


@dataclass
class SpreadState:
    """The state of a run on several devices between calls of Keras.

    Fields:
        validation: List of the passes of a validation in `fit`, or `None`.
        keeps_metrics: Boolean, whether metrics continue from the previous pass.
        is_in_step: Boolean, whether a step is computing its metrics.
        summing: The `Parallel` that sums metrics over processes, or `None`.
    """

    validation: list[Part] | None = None
    keeps_metrics: bool = False
    is_in_step: bool = False
    summing: Parallel | None = None


class DistributedRuns(ModelMixin):
    """Mixin of `keras.Model`: runs it on all devices in use.

    On one device, its runs are Keras's. On several, each process reads its part of
    mixed pairs. Data to evaluate or predict may have any length: if the devices do not
    divide it, every device sees the rest.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # Keras does not track or save a dataclass.
        self._spread = SpreadState()

    def _own_batches(self, pairs: MixedPairDataset) -> MixedPairDataset:
        """The part of each batch of mixed pairs that this process reads."""
        parallel = find_parallel(self)
        if parallel is None:
            return pairs.on_device() if pairs.keeps_on_device else pairs
        require(
            not pairs.keep_on_device,
            "`keep_on_device` must be False or None on several devices.",
            keep_on_device=pairs.keep_on_device,
        )
        return parallel.own_batches(pairs)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *,
        validation_data: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Trains on all devices in use, as Keras does on one."""
        parallel = find_parallel(self)
        if parallel is None:
            return super().fit(x, y, validation_data=validation_data, **kwargs)
        parallel.check(self)
        if not isinstance(x, MixedPairDataset):
            parallel.require_data(x)
        require(
            not kwargs.get("validation_split"),
            "`validation_split` must be 0 on several devices. Pass `validation_data`.",
            validation_split=kwargs.get("validation_split"),
        )
        if validation_data is not None:
            validation_data = self._divide_validation(parallel, validation_data, kwargs)
        self._spread.summing = parallel
        try:
            with parallel.training(self):
                return super().fit(x, y, validation_data=validation_data, **kwargs)
        finally:
            self._spread.summing = self._spread.validation = None

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
        """Evaluates on all devices in use, as Keras does on one."""
        options = {
            "verbose": verbose,
            "steps": steps,
            "callbacks": callbacks,
            "return_dict": return_dict,
            **kwargs,
        }
        parallel = find_parallel(self)
        if parallel is None:
            given = arguments(x, y, sample_weight, batch_size)
            return super().evaluate(**given, **options)
        parts = self._spread.validation
        if parts is None or parts[-1].arguments.get("x") is not x:
            parts = divided(parallel, self, x, y, sample_weight, batch_size, steps)
        before = self._spread.summing
        try:
            for place, part in enumerate(parts):
                is_last = place == len(parts) - 1
                self._spread.keeps_metrics = place > 0
                self._spread.summing = None if part.is_whole else parallel
                with parallel.evaluating(part), closing(part.arguments["x"]):
                    found = super().evaluate(
                        **part.arguments, **(options if is_last else {"verbose": 0})
                    )
            return found
        finally:
            self._spread.keeps_metrics = False
            self._spread.summing = before

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Predicts on all devices in use, as Keras does on one."""
        options = {"verbose": verbose, "callbacks": callbacks}
        return predict_spread(super().predict, self, x, batch_size, steps, **options)

    def reset_metrics(self) -> None:
        """Resets metrics, unless they continue from the previous pass."""
        if not self._spread.keeps_metrics:
            super().reset_metrics()

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        """Keras's metrics of a step."""
        self._spread.is_in_step = True
        try:
            return super().compute_metrics(x, y, y_pred, sample_weight)
        finally:
            self._spread.is_in_step = False

    def get_metrics_result(self) -> Any:
        """The values of metrics, summed over processes outside of steps."""
        summing = self._spread.summing
        # A step returns the metrics of its own process, because sums cost an exchange.
        if summing is None or self._spread.is_in_step:
            return super().get_metrics_result()
        variables = self.metrics_variables
        values = summing.summed(self, variables)
        if values is None:
            return super().get_metrics_result()
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
            return super().get_metrics_result()

    def _divide_validation(self, parallel, validation_data, options):
        """Stores all passes of a validation, and returns the last one for Keras."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(validation_data)
        size = options.get("validation_batch_size") or options.get("batch_size")
        steps = options.get("validation_steps")
        parts = divided(parallel, self, x, y, sample_weight, size, steps)
        self._spread.validation = parts
        last = dict(parts[-1].arguments)
        options["validation_batch_size"] = last.pop("batch_size", None)
        if len(last) == 1:
            return last["x"]
        return tuple(last.values())


def divided(parallel, model, x, y, sample_weight, batch_size, steps) -> list[Part]:
    """The passes of an evaluation; with `steps`, all devices see all of them."""
    if steps is not None:
        return [Part(arguments(x, y, sample_weight, batch_size), is_whole=True)]
    return parallel.parts(model, x, y, sample_weight, batch_size)
