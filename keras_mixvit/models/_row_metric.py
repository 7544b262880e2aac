from typing import Any

import keras
from keras import ops


class RowMetric(keras.metrics.Metric):
    """A metric that sees one row per prediction, and labels in the form that it takes.

    Many metrics of Keras mistake the axis of subnetworks for the classes, or raise an
    error. So they get the predictions `(B, M, K)` of mixed pairs as `B M` rows.

    Args:
        metric: `keras.metrics.Metric` of labels and logits `(n, K)`.
        form: `"integer"` or `"soft"`, the form of labels that the metric takes, or `"as
            given"`.
    """

    def __init__(self, metric: keras.metrics.Metric, form: str):
        super().__init__(name=metric.name, dtype=metric.dtype)
        self.metric = metric
        self.form = form

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        is_soft = len(y_true.shape) == len(y_pred.shape)
        num_classes = y_pred.shape[-1]
        y_pred = ops.reshape(y_pred, (-1, num_classes))
        y_true = ops.reshape(y_true, (-1, num_classes) if is_soft else (-1,))
        if is_soft and self.form == "integer":
            y_true = ops.argmax(y_true, axis=-1)
        elif not is_soft and self.form == "soft":
            y_true = ops.one_hot(ops.cast(y_true, "int32"), num_classes)
        if sample_weight is not None:
            sample_weight = ops.reshape(sample_weight, (-1,))
        self.metric.update_state(y_true, y_pred, sample_weight=sample_weight)

    def result(self) -> Any:
        return self.metric.result()

    def reset_state(self) -> None:
        self.metric.reset_state()
