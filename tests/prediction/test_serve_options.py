"""Where a page is, checked before anything is loaded."""

import importlib.util
import re
import socket

import pytest

from keras_mixvit.prediction._serve_options import Place, require_gradio

pytestmark = pytest.mark.one_backend


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"port": -1}, "`port` must be an integer from 0 to 65535; 0 takes a free one"),
        ({"port": 65536}, "`port` must be an integer from 0 to 65535; 0 takes a free"),
        ({"port": True}, "`port` must be an integer from 0 to 65535; 0 takes a free"),
        ({"host": ""}, "`host` must be the name or address of this machine. Received"),
        ({"host": 1}, "`host` must be the name or address of this machine. Received"),
        (
            {"max_upload": 0},
            "`max_upload` must be a positive number of MiB. Received: ",
        ),
        ({"max_upload": float("inf")}, "`max_upload` must be a positive number of Mi"),
        ({"max_upload": float("nan")}, "`max_upload` must be a positive number of Mi"),
    ],
)
def test_options_out_of_range_are_refused(options, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        Place(**options)


def test_only_this_machine_reaches_a_page_by_default():
    place = Place()
    assert (place.host, place.port, place.max_bytes) == ("127.0.0.1", 7860, 10 * 2**20)
    assert place.is_local
    assert not Place("0.0.0.0").is_local


def test_a_port_that_is_taken_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = (
            "`host` and `port` must be an address of this machine and a free port; "
            f"--port chooses another. Received: host='127.0.0.1', port={port} ("
        )
        with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
            Place(port=port).free_port()
    assert Place(port=port).free_port() == port
    assert Place(port=0).free_port() > 0


def test_an_address_of_another_machine_is_refused():
    # One of those that are only for texts.
    with pytest.raises(ValueError, match=r"^`host` and `port` must be an"):
        Place("192.0.2.1").free_port()


def test_without_gradio_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *args: None)
    text = 'A page needs Gradio: pip install "keras_mixvit[demo]".'
    with pytest.raises(ModuleNotFoundError, match=f"^{re.escape(text)}$"):
        require_gradio()
