"""What stands on a page, as HTML."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from keras_mixvit.prediction import Prediction
from keras_mixvit.prediction._look import Look, Said
from keras_mixvit.prediction._page_html import heading, page_of
from tests.prediction.files import pictures

pytestmark = pytest.mark.one_backend

EVIL = "<script>alert('x')</script>\"&"
ESCAPED = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;"


class Tags(HTMLParser):
    """Counts what is open, and keeps names and attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.found = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def look(name="a.png", classes=("cat", "dog"), **changes):
    found = Prediction(name, classes, (0.75, 0.2), 0.7, 0.1, 0.0, -3.0, False)
    pixels = pictures(1, (8, 6, 3))[0]
    said = (Said("subnetwork 0", classes[0], 0.8), Said("subnetwork 1", "dog", 0.5))
    options = {"pixels": pixels, "said": said, "maps": (("attention", b"png"),)}
    return Look(found, **{**options, **changes})


def test_a_page_has_classes_doubts_subnetworks_and_pictures():
    page = page_of(look(), 4)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for part in ("cat 75.0%", "dog 20.0%", "subnetwork 0 cat 80.0%", "dog 50.0%"):
        assert part in text
    assert "All subnetworks name the same class." in text
    images = [attributes for tag, attributes in Tags(page).found if tag == "img"]
    assert [image["alt"] for image in images] == [
        *("a.png, 6 x 8 pixels", "Where the network looks: attention")
    ]


@pytest.mark.parametrize("shape", [(8, 6, 3), (8, 6, 1)])
def test_the_picture_is_what_the_network_sees(shape):
    pixels = pictures(1, shape)[0]
    page = page_of(look(pixels=pixels, maps=()), 4)
    image = next(values for tag, values in Tags(page).found if tag == "img")
    kind, content = image["src"].split(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as file:
        shown = np.asarray(file).reshape(shape)
    np.testing.assert_array_equal(shown, pixels)
    # Small images are enlarged by a whole number.
    assert (image["width"], image["height"]) == (str(37 * 6), str(37 * 8))


def test_names_are_text_whatever_they_are():
    page = page_of(look(EVIL, (EVIL, "dog")), 4)
    page += page_of(Look(Prediction(EVIL, error=EVIL)), 4)
    page += heading([EVIL], [EVIL])
    assert "<script" not in page
    assert page.count(ESCAPED) == 8
    assert {tag for tag, _ in Tags(page).found} <= {
        *("div", "table", "tr", "th", "td", "meter", "h2", "h3", "p", "ul", "li"),
        *("strong", "img"),
    }


def test_an_error_is_one_sentence():
    found = Prediction("a.png", error="`x` must be small. Received: x=9")
    assert page_of(Look(found), 4) == (
        "<div class='look'><p role='alert'><strong>a.png</strong> has no prediction: "
        "`x` must be small.</p></div>"
    )


def test_the_heading_names_runs_and_what_is_missing():
    text = heading(["runs/first", "runs/second"], ["Not calibrated."])
    assert "<h2>runs/first, runs/second</h2>" in text
    assert "<ul><li>Not calibrated.</li></ul>" in text
    assert "<ul>" not in heading(["a"], [])


def test_no_part_of_a_page_is_on_another_machine():
    page = page_of(look(), 4) + heading(["a"], [])
    assert re.findall(r"\b(?:src|href)='(?!data:)|url\(|https?:", page) == []
