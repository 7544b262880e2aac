import keras

from keras_mixvit._checks import require

ADVICE = "such as keras.losses.SparseCategoricalCrossentropy(from_logits=True)"


def require_loss(loss) -> None:
    """Requires one loss of logits with the mean that the loss weights expect.

    Args:
        loss: What a user passes to `compile`.

    Raises:
        ValueError: If the loss is one of several, has another reduction, or
            takes probabilities.
    """
    require(
        not isinstance(loss, (dict, list, tuple)),
        f"`loss` must be a single loss, {ADVICE}.",
        loss=loss,
    )
    if isinstance(loss, str):
        # Named cross-entropies take probabilities.
        require(
            "crossentropy" not in loss, f"`loss` must take logits, {ADVICE}.", loss=loss
        )
    if isinstance(loss, keras.losses.Loss):
        require(
            loss.reduction == "sum_over_batch_size",
            '`loss` must have the reduction "sum_over_batch_size", which the loss '
            "weights expect.",
            reduction=loss.reduction,
        )
        require(
            loss.get_config().get("from_logits", True),
            f"`loss` must take logits, {ADVICE}.",
            from_logits=False,
        )


def label_form(loss) -> str:
    """The labels that a loss takes: `"integer"`, `"soft"`, or `"as given"`.

    Integer labels are made one-hot for Keras's own losses that need it. What
    a custom loss takes is not known: its labels are left as they are.
    """
    name = loss if isinstance(loss, str) else type(loss).__name__
    if "sparse" in name.lower():
        return "integer"
    own = isinstance(loss, str) or type(loss).__module__.split(".")[0] == "keras"
    return "soft" if own else "as given"
