"""Image files of every kind, against pixels made by hand."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from keras_mixvit.data import ImageFolder
from keras_mixvit.data.sources._image_files import decoded, header_of, image_files

RNG = np.random.default_rng(0)
# Smooth, for formats that lose something.
COLOUR = np.stack(np.meshgrid(np.arange(20) * 9, np.arange(12) * 9), -1)
COLOUR = np.concatenate([COLOUR, 255 - COLOUR[..., :1]], -1).astype("uint8")
LOSSLESS = {"png": {}, "webp": {"lossless": True}, "tiff": {}, "jpeg": {"quality": 100}}


def saved(image, name, folder, **options):
    path = folder / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", LOSSLESS)
def test_photos_are_upright(tmp_path, kind, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"exif": exif.tobytes(), **LOSSLESS[kind]}
    path = saved(Image.fromarray(COLOUR), f"a.{kind}", tmp_path, **options)
    with Image.open(path) as image:
        size = header_of(image).size
        wanted = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    found = decoded(path, "a", 3)
    assert size == found.shape[:2] == ((20, 12) if turn > 4 else (12, 20))
    np.testing.assert_array_equal(found, wanted)
    # By hand: where the stored first row and first column are seen.
    stored = COLOUR.transpose(1, 0, 2) if turn > 4 else COLOUR
    by_hand = {
        **{1: stored, 5: stored},
        **{2: stored[:, ::-1], 6: stored[:, ::-1]},
        **{3: stored[::-1, ::-1], 7: stored[::-1, ::-1]},
        **{4: stored[::-1], 8: stored[::-1]},
    }[turn]
    atol = 12 if kind == "jpeg" else 0
    np.testing.assert_allclose(found.astype(int), by_hand.astype(int), atol=atol)
    folder = ImageFolder(tmp_path)
    assert folder.shape == (1, *found.shape)
    np.testing.assert_array_equal(folder[0], found)


@pytest.mark.parametrize("exif", [b"Exif\x00\x00nonsense", b"\xff" * 40])
def test_a_damaged_orientation_is_none(tmp_path, exif):
    path = saved(Image.fromarray(COLOUR), "a.png", tmp_path, exif=exif)
    np.testing.assert_array_equal(decoded(path, "a", 3), COLOUR)


GREY = COLOUR[..., 0]
DEEP = (GREY.astype("uint16") * 257)[..., None]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("a.png", "<u2"), ("a.tiff", "<u2"), ("a.tiff", ">u2"), ("a.pgm", "<u2")],
)
def test_16_bits_become_8_by_a_fixed_rule(tmp_path, name, dtype):
    values = np.array([[0, 1, 128, 129, 256, 257], [385, 386, 4095, 65534, 65535, 7]])
    if name.endswith("pgm"):
        content = b"P5\n6 2\n65535\n" + values.astype(">u2").tobytes()
        path = tmp_path / name
        path.write_bytes(content)
    else:
        mode = "I;16B" if dtype[0] == ">" else "I;16"
        image = Image.frombytes(mode, (6, 2), values.astype(dtype).tobytes())
        path = saved(image, name, tmp_path)
    expected = np.floor(values / 257 + 0.5).astype("uint8")
    np.testing.assert_array_equal(decoded(path, "a", 1)[..., 0], expected)
    for channel in range(3):
        np.testing.assert_array_equal(decoded(path, "a", 3)[..., channel], expected)
    assert ImageFolder(tmp_path).shape == (1, 2, 6, 1)


@pytest.mark.parametrize("mode", ["F", "I"])
def test_other_depths_are_refused(tmp_path, mode):
    values = np.array([[0.5, 1.0]], "float32")
    if mode == "I":
        values = np.array([[0, 70_000]], "int32")
    path = saved(Image.fromarray(values), "a.tiff", tmp_path)
    text = (
        rf"Image files must have 8 or 16 bits a channel\. Rec.*'photo', mode='{mode}'"
    )
    with pytest.raises(ValueError, match=text):
        decoded(path, "photo", 3)


ALPHA = np.linspace(0, 255, 240).reshape(12, 20).round().astype("uint8")
SHARE = ALPHA[..., None] / 255


def on_white(pixels):
    return pixels * SHARE + 255 * (1 - SHARE)


def test_transparent_images_are_laid_on_white(tmp_path):
    image = Image.fromarray(np.concatenate([COLOUR, ALPHA[..., None]], -1))
    path = saved(image, "a.png", tmp_path)
    found = decoded(path, "a", 3).astype(float)
    np.testing.assert_allclose(found, on_white(COLOUR), atol=1)
    assert (found[0, 0] == 255).all()
    np.testing.assert_array_equal(decoded(path, "a", 3)[-1, -1], COLOUR[-1, -1])


def test_transparent_grey_is_laid_on_white(tmp_path):
    image = Image.fromarray(np.stack([GREY, ALPHA], -1), mode=None)
    path = saved(image, "a.png", tmp_path)
    assert ImageFolder(tmp_path).shape == (1, 12, 20, 1)
    found = decoded(path, "a", 1).astype(float)
    np.testing.assert_allclose(found, on_white(GREY[..., None]), atol=1)


def test_a_transparent_colour_of_a_palette_is_white(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 1]], "uint8"), mode=None).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    path = saved(image, "a.png", tmp_path, transparency=1)
    expected = [[[255, 0, 0], [255] * 3], [[0, 0, 255], [255] * 3]]
    np.testing.assert_array_equal(decoded(path, "a", 3), expected)
    path = saved(image, "b.gif", tmp_path)
    expected = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [0, 255, 0]]]
    np.testing.assert_array_equal(decoded(path, "a", 3), expected)


def test_further_modes(tmp_path):
    bits = saved(Image.fromarray(GREY > 90), "a.png", tmp_path)
    np.testing.assert_array_equal(decoded(bits, "a", 1)[..., 0], 255 * (GREY > 90))
    inks = np.concatenate([255 - COLOUR, np.zeros_like(COLOUR[..., :1])], -1)
    for name in ("b.tiff", "b.jpg"):
        image = Image.frombytes("CMYK", (20, 12), inks.tobytes())
        options = {"quality": 100} if name.endswith("jpg") else {}
        found = decoded(saved(image, name, tmp_path, **options), "b", 3)
        np.testing.assert_allclose(found.astype(int), COLOUR.astype(int), atol=6)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.tiff", "a.webp"])
def test_of_several_frames_the_first_is_taken(tmp_path, name):
    frames = [Image.new("RGB", (4, 3), (value, value, value)) for value in (0, 255)]
    options = {"lossless": True} if name.endswith("webp") else {}
    path = tmp_path / name
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(decoded(path, "a", 3), np.zeros((3, 4, 3)))


def broken(kind):
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(255, size=(40, 40, 3), dtype="uint8")).save(
        buffer, "png"
    )
    content = buffer.getvalue()
    # A header that announces far more pixels than anybody wants.
    huge = b"P6\n100000 100000\n255\n"
    return {
        "truncated": content[: len(content) // 2],
        "empty": b"",
        "text": b"no image",
        "flipped": content[:200] + bytes([content[200] ^ 255]) + content[201:],
        "huge": huge,
    }[kind]


@pytest.mark.parametrize("kind", ["truncated", "empty", "text", "flipped", "huge"])
def test_what_is_no_image_is_refused_by_name(tmp_path, kind):
    (tmp_path / "a.png").write_bytes(broken(kind))
    text = (
        r'Image files must be intact; `on_error="skip"`, or --on-error skip, leaves '
        r"others out\. Received: file='the photo', error="
    )
    with pytest.raises(ValueError, match=text):
        decoded(tmp_path / "a.png", "the photo", 3)


def test_names_of_every_kind_are_found(tmp_path):
    names = ["a b.PNG", "sub/é ü.jpg", "sub/deep/x.JPEG", "z.webp"]
    others = [".DS_Store", "._a b.PNG", "Thumbs.db", "notes.txt", "__MACOSX/q.png"]
    for name in (*names, *others):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "link.png").symlink_to(tmp_path / "z.webp")
    assert list(image_files(tmp_path)) == sorted([*names, "link.png"])
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    text = r"A folder of images must not hold a link to a folder above it\. Rec.*loop'"
    with pytest.raises(ValueError, match=text):
        list(image_files(tmp_path))
