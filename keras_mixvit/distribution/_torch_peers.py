from torch import distributed

from keras_mixvit.distribution._peers import answered


def answered_within(seconds: float):
    """`answered` for exchanges of PyTorch.

    Args:
        seconds: Float, how long an exchange may take.
    """
    errors = (distributed.DistError, RuntimeError)
    return answered(errors, f"within {seconds:g} seconds")
