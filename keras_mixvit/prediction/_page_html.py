"""The parts of a page, as HTML. Whatever a file or a class is called, it is text."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np

from keras_mixvit.data.sources._resizing import pillow
from keras_mixvit.prediction._look import Look
from keras_mixvit.prediction._plain_words import doubts
from keras_mixvit.prediction._writers import printable

# Pixels of the shorter side of a small image on the page.
SHOWN = 224
STYLE = """
.look table { border-collapse: collapse; width: 100%; }
.look th, .look td { padding: .25rem .75rem; text-align: left;
  vertical-align: top; }
.look th { font-weight: 600; white-space: nowrap; }
.look td.share { font-variant-numeric: tabular-nums; text-align: right; width: 5rem; }
.look meter { width: 100%; min-width: 6rem; }
.look .pixels { image-rendering: pixelated; }
.look img { display: block; max-width: 100%; background: white; }
.look .columns { display: flex; flex-wrap: wrap; gap: 1.5rem; }
.look .columns > div { flex: 1 1 20rem; min-width: 0; }
.look .columns > div.picture { flex: 0 1 auto; }
.look h3 { margin: 1rem 0 .25rem; }
"""


def page_of(look: Look, classes: int) -> str:
    """All that a page says about an image.

    Args:
        look: `Look`.
        classes: Integer, the number K of classes.
    """
    found = look.prediction
    name = _text(found.image)
    if found.error is not None:
        # What was received is for programs.
        why = found.error.split(" Received: ")[0]
        return _whole(
            f"<p role='alert'><strong>{name}</strong> has no prediction: {_text(why)}"
            "</p>"
        )
    bars = [
        f"<tr><th>{_text(cls)}</th><td class='share'>{share:.1%}</td>"
        f"<td><meter min='0' max='1' value='{share:.6f}'>{share:.1%}</meter></td></tr>"
        for cls, share in zip(found.classes, found.probabilities, strict=True)
    ]
    certainty = [
        f"<tr><th>{_text(what)}</th><td>{_text(sentence)}</td></tr>"
        for what, sentence in doubts(found, classes)
    ]
    said = [
        f"<tr><th>{_text(each.name)}</th><td>{_text(each.answer)}</td>"
        f"<td class='share'>{each.probability:.1%}</td></tr>"
        for each in look.said
    ]
    left = "<h3>What the network sees</h3>" + _pixels(look.pixels, name)
    left += "".join(
        f"<h3>{_text(title.capitalize())}</h3>"
        f"<img src='{_data(file)}' alt='Where the network looks: {_text(title)}'>"
        for title, file in look.maps
    )
    right = (
        f"<h3>Classes of {name}</h3>{_table(bars)}"
        f"<h3>How certain</h3>{_table(certainty)}"
        f"<h3>Each subnetwork</h3>{_table(said)}"
    )
    return _whole(
        f"<div class='columns'><div class='picture'>{left}</div>"
        f"<div>{right}</div></div>"
    )


def heading(runs: Sequence[str], notes: Sequence[str]) -> str:
    """What stands above everything: the runs, and what is missing.

    Args:
        runs: Sequence of names of runs.
        notes: Sequence of sentences.
    """
    listed = ", ".join(map(_text, runs))
    items = "".join(f"<li>{_text(note)}</li>" for note in notes)
    return _whole(
        f"<h2>{listed}</h2><p>Drop an image. It stays on the machine that serves this "
        f"page.</p>{f'<ul>{items}</ul>' if items else ''}"
    )


def _whole(content):
    return f"<div class='look'>{content}</div>"


def _table(rows):
    return f"<table>{''.join(rows)}</table>"


def _pixels(pixels, name):
    Image = pillow()
    file = io.BytesIO()
    grey = pixels.shape[2] == 1
    Image.fromarray(np.ascontiguousarray(pixels[..., 0] if grey else pixels)).save(
        file, format="png"
    )
    height, width = pixels.shape[:2]
    times = max(1, round(SHOWN / min(height, width)))
    return (
        f"<img class='pixels' src='{_data(file.getvalue())}' width='{times * width}' "
        f"height='{times * height}' alt='{name}, {width} x {height} pixels'>"
    )


def _data(file):
    return f"data:image/png;base64,{base64.b64encode(file).decode('ascii')}"


def _text(text):
    return escape(printable(text), quote=True)
