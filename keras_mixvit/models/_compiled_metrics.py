"""Turns the metrics that a user passes into those that the model computes."""

import json
from typing import Any

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.models._row_metric import RowMetric

# These classes say nothing about labels: their subclasses may take any form.
GENERAL = ("Mean", "MeanMetricWrapper", "Metric", "Sum")
FORMS: dict[tuple, str] = {}


def is_on_subnetworks(metric: Any) -> bool:
    """Whether a metric takes the logits of every subnetwork."""
    return getattr(metric, "on_subnetworks", False)


def listed(name: str, metrics: Any) -> list:
    """The metrics of the model's one output, as a list.

    Args:
        name: String, the name of the argument in errors.
        metrics: As in `keras.Model.compile`: a list, a nested list, a
            dict with one output, or `None`.

    Raises:
        ValueError: If `metrics` is something else.
    """
    require(
        metrics is None
        or isinstance(metrics, (list, tuple))
        or (isinstance(metrics, dict) and len(metrics) <= 1),
        f"`{name}` must be a list of metrics: the model has one output.",
        **{name: metrics},
    )
    return [metric for metric in keras.tree.flatten(metrics) if metric is not None]


def on_rows(name: str, metric: Any, num_classes: int, loss_form: str) -> Any:
    """A metric that gets one row per prediction, and labels in the form that it takes.

    Args:
        name: String, the name of the argument of `compile` in errors.
        metric: The metric, or list of metrics, that a user passes.
        num_classes: Integer, the number K of classes.
        loss_form: The form of labels that the loss gets. A metric of your own gets the
            same.

    Raises:
        ValueError: If the metric is one of Keras's and takes probabilities.
    """
    if isinstance(metric, str) and metric.lower() in ("accuracy", "acc"):
        accuracy = keras.metrics.SparseCategoricalAccuracy(name=metric)
        return RowMetric(accuracy, "integer")
    found = keras.metrics.get(metric)
    if type(found).__module__.startswith("keras_mixvit"):
        return found
    is_known = has_known_labels(found)
    if not isinstance(found, keras.metrics.Metric):
        label = metric if isinstance(metric, str) else found.__name__
        found = keras.metrics.MeanMetricWrapper(found, name=label)
    if not is_known:
        return RowMetric(found, loss_form)
    form: Any = form_of(found, num_classes)
    require(
        form is not None,
        f"`{name}` must take logits: set from_logits=True if the metric has it, or "
        "use a metric of your own that applies the softmax.",
        metric=metric if isinstance(metric, str) else found.name,
    )
    return RowMetric(found, form)


def has_known_labels(metric: Any) -> bool:
    """Whether a metric or function is Keras's or a subclass of Keras's."""
    if not isinstance(metric, keras.metrics.Metric):
        return getattr(metric, "__module__", "").split(".")[0] == "keras"
    keras_classes = [
        base
        for base in type(metric).__mro__
        if base.__module__.split(".")[0] == "keras"
    ]
    return keras_classes[0].__name__ not in GENERAL


def form_of(metric: keras.metrics.Metric, num_classes: int) -> str | None:
    """The labels that a metric of logits takes, or `None` if it takes none.

    It tries a copy of the metric: adding a constant to all logits of a prediction must
    not change its value, unless it has `from_logits=True`.

    Args:
        metric: Metric with known labels.
        num_classes: Integer, the number K of classes.
    """
    config = metric.get_config()
    key = type(metric), json.dumps(config, sort_keys=True, default=str), num_classes
    if key not in FORMS:
        FORMS[key] = tried_form(metric, config, num_classes)
    return FORMS[key]


def tried_form(metric: Any, config: dict[str, Any], num_classes: int) -> Any:
    """What `form_of` returns, without its cache."""
    rng = np.random.default_rng(0)
    labels = (np.arange(2 * num_classes + 1) % num_classes).astype("int32")
    logits = 2 * rng.normal(size=(len(labels), num_classes)).astype("float32")
    shifts = rng.uniform(-3, 3, size=(len(labels), 1)).astype("float32")

    def value(labels, logits):
        copy = type(metric).from_config(config)
        copy.update_state(
            keras.ops.convert_to_tensor(labels), keras.ops.convert_to_tensor(logits)
        )
        return keras.ops.convert_to_numpy(copy.result())

    forms = {"soft": np.eye(num_classes, dtype="float32")[labels], "integer": labels}
    for form, given in forms.items():
        try:
            before, after = value(given, logits), value(given, logits + shifts)
        except Exception:
            # The metric does not take labels of this form.
            continue
        takes_logits = config.get("from_logits", False)
        if takes_logits or np.allclose(before, after, rtol=1e-3, atol=1e-4):
            return form
    return None
