"""What the command does when the program that reads its output has ended."""

import contextlib
import os
import select
import sys


def has_closed_pipe() -> bool:
    """Whether stdout or stderr is a pipe whose reader has ended."""
    return any(map(_is_closed, (sys.stdout, sys.stderr)))


def discard_rest() -> None:
    """Discards what cannot be written, so that Python ends without an error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # A stream of a test or a notebook may be no file.
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
        except AttributeError:
            # The process began without this stream.
            continue


def _is_closed(stream):
    try:
        stream.flush()
        # After an error, there may be nothing left that fails again.
        pipe = select.poll()
        pipe.register(stream.fileno(), 0)
        return bool(pipe.poll(0))
    except BrokenPipeError:
        return True
    # There is no such stream, it is no file, or Windows has no `poll`.
    except (AttributeError, OSError, ValueError):
        return False
