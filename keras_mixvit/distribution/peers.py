import contextlib

from torch import distributed


@contextlib.contextmanager
def answered(timeout: float):
    """Tells in one sentence that another process did not take part.

    Args:
        timeout: Seconds that an exchange may take, for the sentence.

    Raises:
        ConnectionError: If an exchange within the context fails.
    """
    try:
        yield
    except ConnectionError:
        raise
    except (distributed.DistError, RuntimeError) as error:
        raise ConnectionError(
            "Another process of the training has ended, or did not answer within "
            f"{timeout:g} seconds. What was saved is kept: a run goes on with "
            "`keras-mixvit resume RUN`."
        ) from error
