"""Figures of matplotlib as SVG inside a page, in the colours of the page."""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from html import escape
from typing import Any

# Colours of `_style.py` and of the figures, and what the page calls them. Matplotlib
# writes them in `style` attributes, in which variables of CSS work.
COLOURS = {
    "#000000": "currentColor",
    "#d9d9d9": "var(--grid)",
    "#ffffff": "var(--page)",
    "#666666": "var(--muted)",
    "#8c8c8c": "var(--muted)",
}
# What would make the same figure different in every run, or names an address.
METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
ID = re.compile(r' id="([^"]*)"')
USE = re.compile(r'(href="#|url\(#)([^")]*)')
FONT = re.compile(r" font-family: [^;\"]*;?")
# Names of files and classes have no tags: matplotlib escapes them.
TAG = re.compile(r"<[^>]*>")
# The rules of a figure would hold for all that is on the page.
LEFT_OUT = re.compile(
    r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL
)
NAMESPACES = (
    'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
)


@contextlib.contextmanager
def plain_text() -> Iterator[None]:
    """Draws names as they are: no formulas in them, and text that stays text."""
    import matplotlib

    settings = {"text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "0"}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The browser has glyphs that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph")
        yield


def inline_svg(figure: Any, key: str, title: str, description: str) -> str:
    """A figure as an `<svg>` element.

    Args:
        figure: A matplotlib figure, drawn within `plain_text`.
        key: String, unique on the page, with which all its ids begin.
        title: String, its accessible name.
        description: String, what it shows in words.
    """
    stream = io.StringIO()
    with plain_text():
        figure.savefig(stream, format="svg", transparent=True, metadata=METADATA)
    text = stream.getvalue()
    head = re.search(r'<svg[^>]*viewBox="([^"]*)"[^>]*>', text)
    if head is None:
        raise RuntimeError("Matplotlib wrote no SVG.")
    body = LEFT_OUT.sub("", text[head.end() :]).strip()
    # Matplotlib's ids differ from run to run, and few are used.
    used = dict.fromkeys(
        found[2] for tag in TAG.findall(body) for found in USE.finditer(tag)
    )
    numbers = {name: place for place, name in enumerate(used)}
    width = float(head[1].split()[2])
    return (
        f'<svg role="img" aria-labelledby="{key}-title {key}-desc" '
        f'viewBox="{head[1]}" style="--width: {width:.0f}" {NAMESPACES}>'
        f'<title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-desc">{escape(description)}</desc>'
        f"{TAG.sub(lambda found: _tag(found[0], numbers, key), body)}"
    )


def _tag(tag, numbers, key):
    """A tag with ids of this figure alone, and in the colours of the page."""
    tag = ID.sub(
        lambda found: f' id="{key}-{numbers[found[1]]}"' if found[1] in numbers else "",
        tag,
    )
    tag = USE.sub(lambda found: f"{found[1]}{key}-{numbers[found[2]]}", tag)
    # Attributes know no variables of CSS.
    tag = re.sub(r' fill="(#[0-9a-fA-F]{6})"', r' style="fill: \1"', tag)
    tag = FONT.sub("", tag)
    return COLOUR.sub(lambda found: COLOURS.get(found[0].lower(), found[0]), tag)
