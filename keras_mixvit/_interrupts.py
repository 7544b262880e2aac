import contextlib
import signal
import threading

DEFERRED = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interrupted_later():
    """Lets the first Ctrl-C wait until the context ends.

    A step that is interrupted halfway would leave a mixture of old and new
    weights. A second Ctrl-C does not wait. Handlers are those in use before
    the context; a signal without a Python handler, and any other thread than
    the main one, are not touched.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = {number: signal.getsignal(number) for number in DEFERRED}
    handlers = {n: handler for n, handler in found.items() if callable(handler)}
    waiting = []

    def later(number, frame):
        signal.signal(number, handlers[number])
        waiting.append((number, frame))

    for number in handlers:
        signal.signal(number, later)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            # A handler that was set within the context stays.
            if signal.getsignal(number) is later:
                signal.signal(number, handler)
        for number, frame in waiting:
            handlers[number](number, frame)
