"""Checks that a loss takes logits, by calling it."""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_mixvit._checks import require

ADVICE = "such as keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
# The sizes differ, so no axis can be mistaken for another.
SHAPE = (2, 3)
# How far a logit moves from 0, to see whether the loss follows.
NEAR, FAR = 4.0, 8.0


class Forms(NamedTuple):
    """The labels that a loss takes.

    Fields:
        integer: Boolean, whether it takes integers `(...)`.
        soft: Boolean, whether it takes soft labels `(..., K)`.
    """

    integer: bool
    soft: bool


def require_loss(loss: Any, num_classes: int) -> str:
    """Requires a single loss of logits, with the reduction that the loss weights need.

    The name of a loss says little, so this calls it. A loss of logits passes one of two
    tests. With a softmax, it does not change if you add a constant to all logits. With
    a sigmoid, it grows when the logit of the true class falls; when that logit rises,
    it falls or grows much less. A loss of probabilities fails both: it is flat or
    undefined outside [0, 1], or has a pole at 0. A squared error grows on both sides.

    Args:
        loss: The loss passed to `compile`.
        num_classes: Integer, the number K of classes.

    Returns:
        The form of labels that the loss gets: `"integer"`, `"soft"`, or `"as given"`.
        If a loss takes only soft labels, integers become one-hot rows.

    Raises:
        ValueError: If there are several losses, or the loss has another reduction, does
            not return one value per prediction, or takes probabilities.
    """
    require(
        not isinstance(loss, (dict, list, tuple)),
        f"`loss` must be a single loss, {ADVICE}.",
        loss=loss,
    )
    if isinstance(loss, keras.losses.Loss):
        require(
            loss.reduction == "sum_over_batch_size",
            '`loss` must have the reduction "sum_over_batch_size", which the loss '
            "weights expect.",
            reduction=loss.reduction,
        )
    if loss is None:
        return "as given"
    function = function_of(loss)
    forms, problem = found_forms(function, num_classes)
    require(
        forms.integer or forms.soft,
        "`loss` must be a function of labels (...,) or (..., K) and logits (..., K) "
        f"that gives one value (...,) for each prediction, {ADVICE}. It {problem}.",
        loss=loss,
    )
    labels = labels_of(forms, num_classes)
    require(
        num_classes == 1
        or ignores_a_shift(function, labels, num_classes)
        or follows_the_true_logit(function, forms, num_classes),
        f"`loss` must take logits, {ADVICE}.",
        loss=loss,
    )
    if forms.integer and forms.soft:
        return "as given"
    return "integer" if forms.integer else "soft"


def function_of(loss: Any) -> Any:
    """The function of labels and logits behind a loss or its name."""
    if isinstance(loss, str) and loss.lower() in ("crossentropy", "ce"):
        loss = "categorical_crossentropy"
    if not isinstance(loss, keras.losses.Loss):
        loss = keras.losses.get(loss)
    function = loss.call if isinstance(loss, keras.losses.Loss) else loss

    def values(labels, logits):
        logits = keras.ops.convert_to_tensor(logits.astype("float32"))
        found = function(keras.ops.convert_to_tensor(labels), logits)
        return keras.ops.convert_to_numpy(keras.ops.cast(found, "float32"))

    return values


def found_forms(function: Any, num_classes: int) -> tuple[Forms, str]:
    """The labels with which a loss works, and what is wrong if there are none."""
    logits = np.random.default_rng(0).normal(size=(*SHAPE, num_classes))
    found, problems = [], []
    for labels in (integers(num_classes), one_hot(num_classes)):
        problem = problem_of(function, labels, logits)
        found.append(problem is None)
        problems += [problem] if problem else []
    return Forms(*found), " and ".join(dict.fromkeys(problems))


def problem_of(function: Any, labels: Any, logits: Any) -> str | None:
    """What is wrong with the values of a loss, or `None`."""
    rank = len(SHAPE)
    try:
        values = function(labels, logits)
        rows = function(labels.reshape(-1, *labels.shape[rank:]), rows_of(logits))
    except Exception as error:
        text = str(error).strip().split("\n")[0]
        return f"raised {type(error).__name__} ({text[:200]})"
    if values.shape != SHAPE or rows.shape != (np.prod(SHAPE),):
        return f"gave the shape {values.shape} for predictions {SHAPE}"
    same = np.allclose(values.ravel(), rows, rtol=1e-3, atol=1e-4, equal_nan=True)
    return None if same else "mixed predictions of different samples or subnetworks"


def ignores_a_shift(function: Any, labels: Any, num_classes: int) -> bool:
    """Whether the loss ignores a constant added to all logits of a prediction."""
    rng = np.random.default_rng(1)
    logits = 2 * rng.normal(size=(*SHAPE, num_classes))
    shifts = rng.uniform(-3, 3, size=(*SHAPE, 1))
    before, after = function(labels, logits), function(labels, logits + shifts)
    return np.allclose(before, after, rtol=1e-3, atol=1e-4)


def follows_the_true_logit(function: Any, forms: Forms, num_classes: int) -> bool:
    """Whether the loss grows when the true logit falls, but not when it rises."""
    true, labels = one_hot(num_classes), labels_of(forms, num_classes)

    def grown(*values):
        return np.diff([function(labels, value * true) for value in values], axis=0)

    wrong, right = grown(-NEAR, -FAR)[0], grown(NEAR, FAR)[0]
    at_zero, beside = np.abs(grown(0.0, 0.01, 0.02))
    # Comparisons with NaN are false. Label smoothing makes the loss rise a little.
    follows = (wrong > 1e-6) & (right < 0.5 * wrong)
    return bool(np.all(follows & (at_zero < 4 * beside + 1e-4)))


def labels_of(forms: Forms, num_classes: int) -> np.ndarray:
    """Labels in a form that a loss takes."""
    return one_hot(num_classes) if forms.soft else integers(num_classes)


def integers(num_classes: int) -> np.ndarray:
    """Integer labels `(2, 3)`."""
    return (np.arange(np.prod(SHAPE)) % num_classes).reshape(SHAPE).astype("int32")


def one_hot(num_classes: int) -> np.ndarray:
    """The same labels as one-hot rows `(2, 3, K)`."""
    return np.eye(num_classes, dtype="float32")[integers(num_classes)]


def rows_of(values: np.ndarray) -> np.ndarray:
    """Values `(2, 3, K)` as `(6, K)`."""
    return values.reshape(-1, values.shape[-1])
