import contextlib


@contextlib.contextmanager
def peer_errors(errors: tuple, limit: str):
    """Says in one sentence that another process did not take part.

    Args:
        errors: Tuple of the backend's errors that say so.
        limit: String, how long an exchange may take.

    Raises:
        ConnectionError: If an exchange within the context fails.
    """
    try:
        yield
    except ConnectionError:
        raise
    except errors as error:
        raise ConnectionError(
            f"Another process of the training has ended, or did not answer {limit}. "
            "What was saved is kept: a run resumes with `keras-mixvit resume RUN`."
        ) from error
