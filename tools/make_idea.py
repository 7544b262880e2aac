"""Draws the picture of the idea: a mixed pair, one network, two answers.

    python tools/make_idea.py

writes `docs/idea.svg`, from two digits of the package. The picture has a ground of its
own, so that it can be read on a light and on a dark page.
"""

from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
DIGITS = ROOT / "keras_mixvit" / "data" / "sets" / "digits.npz"
# Classes that a reader tells apart at a glance, and the box of image 1, in patches.
CLASSES = (3, 7)
PATCH = 2
BOX = (slice(1, 4), slice(2, 4))
COLOURS = ("#1f6fb5", "#c2560c")
INK, SOFT, LINE = "#1b1f24", "#57606a", "#8c959f"
WIDTH, HEIGHT = 860, 360


def digit(images, labels, wanted):
    """The image of a class that has the most ink, as shares of ink."""
    found = images[labels == wanted].astype(float)
    return (found[found.sum((1, 2, 3)).argmax()] / found.max())[..., 0]


def pixels(image, x, y, side, owner=None):
    """An image as squares, in the colour of the input that owns each pixel."""
    size = side / len(image)
    for row, values in enumerate(image):
        for column, ink in enumerate(values):
            who = 0 if owner is None else owner[row, column]
            left, top = x + column * size, y + row * size
            square = (
                f'x="{left:.1f}" y="{top:.1f}" width="{size:.1f}" height="{size:.1f}"'
            )
            yield f'<rect {square} fill="{COLOURS[who]}" fill-opacity="{ink:.2f}"/>'
    yield (
        f'<rect x="{x}" y="{y}" width="{side}" height="{side}" fill="none" '
        f'stroke="{LINE}"/>'
    )


def text(x, y, words, size=15, colour=INK, anchor="middle", weight="normal"):
    """One line of text."""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" '
        f'text-anchor="{anchor}" font-weight="{weight}">{words}</text>'
    )


def arrow(x, y, to_x, to_y, colour=SOFT):
    """An arrow from one point to another."""
    return (
        f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{colour}" '
        'stroke-width="2" marker-end="url(#head)"/>'
    )


def network(x, y, width, height, *words):
    """A box with lines of text."""
    yield (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" '
        f'fill="#eef2f6" stroke="{LINE}"/>'
    )
    middle = y + height / 2 - 9 * (len(words) - 1) + 5
    for line, word in enumerate(words):
        weight = "normal" if line else "bold"
        yield text(x + width / 2, middle + 18 * line, word, weight=weight)


def drawing():
    """The elements of the picture."""
    with np.load(DIGITS) as stored:
        images, labels = stored["x_train"], stored["y_train"]
    pair = [digit(images, labels, wanted) for wanted in CLASSES]
    owner = np.zeros([len(pair[0]) // PATCH] * 2, int)
    owner[BOX] = 1
    shares = [1 - owner.mean(), owner.mean()]
    owner = owner.repeat(PATCH, 0).repeat(PATCH, 1)
    mixed = np.where(owner == 0, *pair)

    yield text(24, 34, "Training", 17, anchor="start", weight="bold")
    yield text(112, 34, "two images, mixed patch by patch", 15, SOFT, "start")
    for place, image in enumerate(pair):
        x = 24 + 104 * place
        yield from pixels(image, x, 56, 88, np.full(image.shape, place))
        yield text(x + 44, 164, f"“{CLASSES[place]}”", 16, COLOURS[place])
    yield arrow(224, 100, 262, 100)
    yield from pixels(mixed, 270, 56, 88, owner)
    yield text(314, 164, "one input", 15, SOFT)
    yield arrow(366, 100, 404, 100)
    yield from network(412, 64, 130, 72, "one network", "runs once")
    for place, share in enumerate(shares):
        y = 76 + 48 * place
        colour = COLOURS[place]
        yield arrow(546, 100, 590, y, colour)
        yield text(
            600, y + 5, f"subnetwork {place}: “{CLASSES[place]}”", 16, colour, "start"
        )
        amount = f"{100 * share:.0f} % of the image"
        yield text(600, y + 24, f"{amount}, and of the loss", 13, SOFT, "start")

    yield f'<line x1="24" y1="186" x2="{WIDTH - 24}" y2="186" stroke="#d0d7de"/>'
    yield text(24, 218, "Use", 17, anchor="start", weight="bold")
    yield text(66, 218, "one image, two answers, one ensemble", 15, SOFT, "start")
    whole = pair[0]
    yield from pixels(whole, 270, 240, 88, np.zeros(whole.shape, int))
    yield arrow(366, 284, 404, 284)
    yield from network(412, 248, 130, 72, "the same one", "body runs once")
    for place in range(2):
        y = 264 + 40 * place
        yield arrow(546, 284, 590, y, COLOURS[place])
        words = f"subnetwork {place}: “{CLASSES[0]}”"
        yield text(600, y + 5, words, 16, COLOURS[place], "start")
        yield arrow(750, y, 776, 284)
    yield text(784, 281, "mean:", 15, INK, "start")
    yield text(784, 301, f"“{CLASSES[0]}”", 18, INK, "start", "bold")


def picture() -> str:
    """The whole picture, as SVG."""
    described = (
        "In training, two images are mixed patch by patch into one input; one network "
        "runs once, and each of its two subnetworks predicts one of the images. In "
        "use, both subnetworks predict the same image, and their mean is the answer."
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'role="img" font-family="system-ui, Helvetica, Arial, sans-serif">',
            f"<title>{described}</title>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" '
            'markerWidth="6" markerHeight="6" orient="auto">'
            f'<path d="M0 0 8 4 0 8z" fill="{SOFT}"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="12" fill="#ffffff" '
            'stroke="#d0d7de"/>',
            *drawing(),
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    path = ROOT / "docs" / "idea.svg"
    path.write_text(picture(), encoding="utf-8")
    print(path)
