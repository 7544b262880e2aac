import gzip
import io
import re
import tarfile

import numpy as np
import pytest

from keras_mixvit.data.sources._tar_index import indexed
from tests.data.shards import as_member, encoded, sample, tar_of

pytestmark = pytest.mark.one_backend
PIXELS = encoded(0)


@pytest.fixture
def shard(tmp_path):
    """Writes a shard, and gives its path."""

    def write(*members, content=None):
        path = tmp_path / "0.tar"
        path.write_bytes(tar_of(*members) if content is None else content)
        return str(path)

    return write


def refused(text, path, **options):
    with pytest.raises(ValueError, match=re.escape(text)):
        indexed(path, **options)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, None])
def test_places_are_those_that_tarfile_finds(form, tmp_path):
    path, long = tmp_path / "0.tar", "x" * 90 + "/" + "y" * 90 + "ä"
    long = long[: 90 + 40] if form == tarfile.USTAR_FORMAT else long
    members = [
        *sample("a/0", 0, "ant"),
        *sample(long, 1, "bee"),
        *sample("2", 2, "ant"),
    ]
    with tarfile.open(path, "w", format=form or tarfile.PAX_FORMAT) as tar:
        for name, content in members:
            tar.addfile(as_member(name, content)[0], io.BytesIO(content))
    found, content = indexed(str(path)), path.read_bytes()
    for i, place, length in zip(range(3), found.places, found.lengths, strict=True):
        assert content[place : place + length] == encoded(i)
    with tarfile.open(path) as tar:
        expected = [m.offset for m in tar if m.name.endswith(".png")]
    assert found.headers.tolist() == expected
    assert (found.words, found.codes.tolist()) == (("ant", "bee"), [0, 1, 0])


def test_other_files_do_not_matter(shard):
    members = [
        ("README", b"x"),
        ("dataset.json", b"no object"),
        as_member("a", type=tarfile.DIRTYPE),
        ("a/0.json", b'{"label": 3}'),
        ("a/0.txt", b"x"),
        ("a/0.PNG", PIXELS),
        ("a/._0.png", b"of macOS"),
        ("__MACOSX", b"x"),
    ]
    found = indexed(shard(*members))
    assert (len(found.codes), found.words) == (1, ("3",))


def test_endings_and_fields_are_chosen(shard):
    path = shard(("0.in.jpg", PIXELS), ("0.seg.png", b""), ("0.json", b'{"f": 2}'))
    found = indexed(path, "in.jpg", "f")
    assert (found.lengths.tolist(), found.words) == ([len(PIXELS)], ("2",))
    # The .cls file is that of another label.
    path = shard(("0.jpg", PIXELS), ("0.cls", b"1"), ("0.json", b'{"f": "b"}'))
    assert indexed(path).words == ("1",)
    assert indexed(path, label="f").words == ("b",)


CASES = {
    "no label": (
        [("0.png", PIXELS)],
        "Every image must have a label beside it, in KEY.cls or as 'label' in "
        "KEY.json.",
    ),
    "no field": (
        [("0.png", PIXELS), ("0.json", b'{"class": 3}')],
        "Every image must have a label beside it, in KEY.cls or as 'label' in "
        "KEY.json.",
    ),
    "null": (
        [("0.png", PIXELS), ("0.json", b'{"label": null}')],
        "Every image must have a label beside it",
    ),
    "no image": (
        [("0.cls", b"1")],
        "Every .cls file must follow an image of its key, or precede it.",
    ),
    "not next to it": (
        [("0.png", PIXELS), ("1.png", PIXELS), ("0.cls", b"1"), ("1.cls", b"1")],
        "Every image must have a label beside it",
    ),
    "two images": (
        [("0.png", PIXELS), ("0.jpg", PIXELS), ("0.cls", b"1")],
        "Every key must have one image; `wds:PATH?image=ENDING` chooses one of "
        "several.",
    ),
    "the same file twice": (
        [("0.png", PIXELS), ("0.png", PIXELS), ("0.cls", b"1")],
        "Every key must have one image",
    ),
    "the same key twice": (
        [*sample("0", 0, 0), *sample("1", 0, 0), *sample("0", 1, 1)],
        "Files of a shard must have a key of their own.",
    ),
    "a link": (
        [as_member("0.png", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
        "Every image of a shard must be a whole file, not a link.",
    ),
    "a hard link": (
        [as_member("0.png", type=tarfile.LNKTYPE, linkname="1.png")],
        "Every image of a shard must be a whole file, not a link.",
    ),
    "an empty label": (
        [("0.png", PIXELS), ("0.cls", b" \n")],
        "Labels must be integers or words.",
    ),
    "a long label": (
        [("0.png", PIXELS), ("0.cls", b"x" * 201)],
        "Labels must be integers or words.",
    ),
    "no text": (
        [("0.png", PIXELS), ("0.cls", b"\xff")],
        "Files of labels must be in UTF-8.",
    ),
    "a large file": (
        [("0.png", PIXELS), ("0.cls", b"1" * (2**20 + 1))],
        "Files of labels must be small.",
    ),
    "no object": (
        [("0.png", PIXELS), ("0.json", b"[3]")],
        "Files .json must hold an object.",
    ),
    "no JSON": (
        [("0.png", PIXELS), ("0.json", b"{")],
        "Files .json must hold an object.",
    ),
    "deep JSON": (
        [("0.png", PIXELS), ("0.json", b"[" * 100_000)],
        "Files .json must hold an object.",
    ),
    "a float": (
        [("0.png", PIXELS), ("0.json", b'{"label": 1.5}')],
        "Labels must be integers or words.",
    ),
    "half a character": (
        [("0.png", PIXELS), ("0.json", b'{"label": "\\ud800"}')],
        "Labels must be integers or words.",
    ),
    "a boolean": (
        [("0.png", PIXELS), ("0.json", b'{"label": true}')],
        "Labels must be integers or words.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_key_that_does_not_fit_is_named(case, shard):
    members, text = CASES[case]
    path = shard(*members)
    refused(
        f"{text}{'' if text[-1] != '.' else f' Received: shard={path!r}, key='}", path
    )
    refused("'0'", path)


@pytest.mark.parametrize("members", [[], [("README.txt", b"x")], [("a/", b"")]])
def test_a_shard_without_images_is_refused(members, shard):
    path = shard(*members)
    refused(f"Every shard must hold an image. Received: shard={path!r}", path)


WHOLE = tar_of(*sample("0", 0, 0), *sample("1", 1, 1))
DAMAGED = {
    "empty": (b"", "empty file"),
    "no tar": (b"x" * 5000, "invalid header"),
    "compressed": (gzip.compress(WHOLE), ""),
    "cut in a file": (WHOLE[:900], "unexpected end of data"),
    # As if the writer had been stopped after a file.
    "without an end": (WHOLE[:2048], "its end is missing"),
    "a damaged header": (
        WHOLE[: 2048 + 100] + b"?" * 100 + WHOLE[2048 + 200 :],
        "its end is missing, or its middle is damaged",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_shard_is_refused(case, shard):
    content, text = DAMAGED[case]
    path = shard(content=content)
    refused(
        "Shards must be intact .tar files, not compressed. Received: "
        f"shard={path!r}, error='{text}",
        path,
    )


def test_a_header_that_leads_backwards_ends(shard):
    content = bytearray(tar_of(*sample("0", 0, 0)))
    # The size -1024, in base 256.
    content[124:136] = b"\xff" * 10 + (-1024).to_bytes(2, "big", signed=True)
    header = content[:512]
    header[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(header)
    refused("Shards must be intact .tar files", shard(content=bytes(content)))


def test_names_are_no_paths(shard, tmp_path):
    members = [*sample("../../0", 0, 0), *sample("/etc/1", 1, 1), *sample("..", 2, 2)]
    before = sorted(tmp_path.rglob("*"))
    found = indexed(shard(*members))
    assert found.codes.tolist() == [0, 1]
    assert np.array(sorted(tmp_path.rglob("*"))).tolist() == [
        *before,
        tmp_path / "0.tar",
    ]
