"""The options of a page, checked before Keras is imported."""

import importlib.util
import socket
from dataclasses import dataclass

from keras_mixvit._checks import is_integer, is_number, require

HOST, PORT = "127.0.0.1", 7860
# MiB of an uploaded file.
MAX_UPLOAD = 10
# From this machine alone.
LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Place:
    """Where a page is, and how large a file it takes; `serve` explains them.

    Raises:
        ValueError: If one is out of its range.
    """

    host: str = HOST
    port: int = PORT
    max_upload: float = MAX_UPLOAD

    def __post_init__(self):
        require(
            isinstance(self.host, str) and bool(self.host),
            "`host` must be the name or address of this machine.",
            host=self.host,
        )
        require(
            is_integer(self.port) and 0 <= self.port < 2**16,
            "`port` must be an integer from 0 to 65535; 0 takes a free one.",
            port=self.port,
        )
        require(
            is_number(self.max_upload) and 0 < self.max_upload < float("inf"),
            "`max_upload` must be a positive number of MiB.",
            max_upload=self.max_upload,
        )

    @property
    def max_bytes(self) -> int:
        """The largest size of a file."""
        return max(1, int(self.max_upload * 2**20))

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the page."""
        return self.host in LOCAL

    def free_port(self) -> int:
        """The port, or a free one for 0.

        Raises:
            ValueError: If the host is not this machine, or the port is taken.
        """
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM
            )[0]
            with socket.socket(family, kind, protocol) as found:
                # As the server does: a port that was just left is free.
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                found.bind(address)
                return found.getsockname()[1]
        except (OSError, UnicodeError) as error:
            raise ValueError(
                "`host` and `port` must be an address of this machine and a free port; "
                f"--port chooses another. Received: host={self.host!r}, "
                f"port={self.port!r} ({error})"
            ) from error


def require_gradio() -> None:
    """Requires Gradio, which draws the page.

    Raises:
        ModuleNotFoundError: If it is not installed.
    """
    if importlib.util.find_spec("gradio") is None:
        raise ModuleNotFoundError(
            'A page needs Gradio: pip install "keras_mixvit[demo]".'
        )
