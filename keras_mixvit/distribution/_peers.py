import contextlib


@contextlib.contextmanager
def peer_errors(errors: tuple, limit: str):
    """Turns the backend's errors about a missing process into one clear error.

    Args:
        errors: Tuple of the types of these errors.
        limit: String, the time limit of an exchange in words.

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
