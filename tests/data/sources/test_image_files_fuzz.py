"""Damaged image files end in one sentence, and fill no memory."""

import io
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from keras_mixvit.data import ImageFolder
from tests.damage import damages, untouched
from tests.properties import holds, outcome

# Pillow warns of much that it reads.
pytestmark = pytest.mark.filterwarnings("ignore")
SUFFIXES = (".png", ".jpg", ".bmp", ".gif", ".tif", ".webp", ".ppm", ".pgm")
PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3), "uint8")


def whole(suffix):
    file = io.BytesIO()
    image = Image.fromarray(PIXELS)
    image = image.convert("L") if suffix == ".pgm" else image
    image.save(file, Image.registered_extensions()[suffix])
    return file.getvalue()


CONTENT = {suffix: whole(suffix) for suffix in SUFFIXES}


def read_all(folder):
    found = ImageFolder(folder, image_size=(4, 5))
    return found, found[np.arange(len(found))]


def check(content, suffix, with_others):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"broken{suffix}").write_bytes(content)
        if with_others:
            (Path(folder) / "whole.png").write_bytes(CONTENT[".png"])
        with untouched(folder):
            found, refusal = outcome(read_all, folder)
    if refusal is not None:
        assert " must " in refusal
        assert "Received: " in refusal
        assert "broken" in refusal
        return
    source, images = found
    assert images.shape == (1 + with_others, 4, 5, source.channels)


@holds(
    few=60,
    many=4000,
    suffix=st.sampled_from(SUFFIXES),
    damage=damages(),
    with_others=st.booleans(),
)
def test_a_damaged_image_is_read_or_refused(suffix, damage, with_others):
    check(damage(CONTENT[suffix]), suffix, with_others)


@holds(
    few=40,
    many=3000,
    suffix=st.sampled_from(SUFFIXES),
    kept=st.integers(0, 30),
    content=st.binary(max_size=80),
    with_others=st.booleans(),
)
def test_any_bytes_behind_a_header_are_read_or_refused(
    suffix, kept, content, with_others
):
    check(CONTENT[suffix][:kept] + content, suffix, with_others)


def png_of(width, height):
    """A PNG file of a few bytes whose header says that it is huge."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "size", [(2**31 - 1, 2**31 - 1), (100_000, 100_000), (1, 2**31 - 1), (0, 5)]
)
@pytest.mark.parametrize("with_others", [False, True])
def test_a_header_of_a_huge_image_is_refused(size, with_others):
    check(png_of(*size), ".png", with_others)
