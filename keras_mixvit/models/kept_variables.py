import contextlib


@contextlib.contextmanager
def kept_variables(model):
    """Gives a model its variables back when a training or a test fails.

    On JAX, Keras takes the values out of the variables before a step and puts
    them back after it; an error in between, such as a batch of a wrong shape,
    would leave a model without weights.

    Args:
        model: Compiled or uncompiled model.
    """
    variables = [*model.variables, *model.metrics_variables]
    if getattr(model, "optimizer", None) is not None:
        variables += model.optimizer.variables
    values = [variable.value for variable in variables]
    try:
        yield
    except BaseException:
        for variable, value in zip(variables, values, strict=True):
            if is_lost(variable):
                variable.assign(value)
        raise


def is_lost(variable) -> bool:
    """Whether a variable that had a value has none."""
    try:
        return variable.value is None
    except TypeError:
        return True
