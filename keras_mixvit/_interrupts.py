import contextlib
import signal
import threading

DEFERRED = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interrupted_later():
    """Delays the first Ctrl-C until the context ends.

    A step that is interrupted halfway would leave a mixture of old and new weights. A
    second Ctrl-C takes effect at once. The handler is the one from before the context.
    It has no effect on a signal without a Python handler, or outside of the main
    thread.
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
            # Keeps a handler that was set within the context.
            if signal.getsignal(number) is later:
                signal.signal(number, handler)
        for number, frame in waiting:
            handlers[number](number, frame)
