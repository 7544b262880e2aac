"""The page itself, served by Gradio, which is in no extra of the tests."""

import gc
import json
import os
import re
import urllib.error
import urllib.request
import uuid

import numpy as np
import pytest

from keras_mixvit.prediction import _serve, predict, serve
from tests.prediction.files import linear, pictures, png_bytes

pytestmark = [
    pytest.mark.one_backend,
    # Gradio leaves event loops of its threads open.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def refused(text, error=ValueError, **options):
    with pytest.raises(error, match=f"^{re.escape(text)}"):
        serve(**{"run": linear(), "block": False, **options})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"block": 1}, "`block` must be a boolean. Received: block=1"),
        ({"top": 0}, "`top` must be an integer of at least 1. Received: top=0"),
        ({"port": -1}, "`port` must be an integer from 0 to 65535; 0 takes a free o"),
        ({"max_upload": 0}, "`max_upload` must be a positive number of MiB. Received"),
    ],
)
def test_options_are_refused_before_gradio_is_looked_for(options, text):
    refused(text, **options)


def test_without_gradio_nothing_is_loaded(monkeypatch):
    def missing():
        raise ModuleNotFoundError("A page needs Gradio: pip install")

    monkeypatch.setattr(_serve, "require_gradio", missing)
    monkeypatch.setattr(_serve, "Looker", None)
    refused("A page needs Gradio: pip install", ModuleNotFoundError)


@pytest.fixture(scope="module")
def page():
    pytest.importorskip("gradio")
    with serve(linear(), port=0, max_upload=0.01, block=False) as page:
        yield page
    # What Gradio left open ends here, and not in a test of another file.
    gc.collect()


def sent(page, path, content=None, **headers):
    request = urllib.request.Request(page.url + path, content, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


def uploaded(page, name, content):
    """Where a file is put."""
    border = uuid.uuid4().hex
    body = (
        f'--{border}\r\nContent-Disposition: form-data; name="files"; '
        f'filename="{name}"\r\n\r\n'
    ).encode()
    body += content + f"\r\n--{border}--\r\n".encode()
    kind = f"multipart/form-data; boundary={border}"
    (path,) = json.loads(
        sent(page, "/gradio_api/upload", body, **{"Content-Type": kind})
    )
    return path


def answered(page, path):
    """What the page shows for a file, as a browser asks for it."""
    session, (function,) = uuid.uuid4().hex, page.app.fns
    data = {
        "data": [{"path": path, "meta": {"_type": "gradio.FileData"}}],
        "fn_index": function,
        "session_hash": session,
    }
    sent(
        page,
        "/gradio_api/queue/join",
        json.dumps(data).encode(),
        **{"Content-Type": "application/json"},
    )
    found = sent(page, f"/gradio_api/queue/data?session_hash={session}")
    events = [
        json.loads(line[6:]) for line in found.splitlines() if line.startswith("data: ")
    ]
    (done,) = (event for event in events if event["msg"] == "process_completed")
    assert done["success"], done
    return done["output"]["data"][0]


def test_an_image_is_answered_as_predict_does(page):
    pixels = pictures(1)[0]
    text = answered(page, uploaded(page, "photo.png", png_bytes(pixels)))
    (expected,) = predict(linear(), pixels[None])
    assert "Classes of photo.png" in text
    assert f"<th>{expected.classes[0]}</th>" in text
    assert f"{expected.probabilities[0]:.1%}" in text


def test_a_damaged_file_is_a_sentence(page):
    text = answered(page, uploaded(page, "bad.png", b"no image"))
    assert "<strong>bad.png</strong> has no prediction: cannot identify image" in text


def test_a_large_file_is_refused(page):
    large = np.random.default_rng(0).bytes(20_000)
    with pytest.raises(urllib.error.HTTPError, match="413"):
        uploaded(page, "large.png", large)


def test_a_file_that_was_not_uploaded_is_not_read(page, tmp_path):
    file = tmp_path / "photo.png"
    file.write_bytes(png_bytes(pictures(1)[0]))
    with pytest.raises(AssertionError, match="process_completed"):
        answered(page, str(file))


def test_the_page_asks_no_other_machine(page):
    config = json.loads(sent(page, "/config"))
    assert config["analytics_enabled"] is False
    theme = sent(page, "/theme.css")
    assert re.findall(r"url\(['\"]?https?:", theme) == []


def test_uploads_are_gone_when_the_page_closes():
    pytest.importorskip("gradio")
    before = os.environ.get("GRADIO_TEMP_DIR")
    with serve(linear(), port=0, block=False) as page:
        path = uploaded(page, "photo.png", png_bytes(pictures(1)[0]))
        assert os.path.exists(path)
    assert not os.path.exists(path)
    assert os.environ.get("GRADIO_TEMP_DIR") == before
    with pytest.raises(urllib.error.URLError):
        sent(page, "/config")
    gc.collect()
