import numpy as np
import pytest
from PIL import Image

from keras_mixvit.data import ImageFolder
from keras_mixvit.data.sources import _stored_images as stored_images
from keras_mixvit.data.sources._file_names import FileNames
from tests.data.files import noise, save_image, truncate


def test_files_are_found_in_the_order_of_their_names(tmp_path):
    for i, name in enumerate(["b/2.PNG", "a/1.png", "c.png", "a/deep/0.bmp"]):
        save_image(tmp_path / name, i)
    for name in (".hidden.png", "b/notes.txt", ".cache/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"no image")
    folder = ImageFolder(tmp_path)
    assert list(folder.files) == ["a/1.png", "a/deep/0.bmp", "b/2.PNG", "c.png"]
    assert folder.shape == (4, 4, 4, 3)
    np.testing.assert_array_equal(folder[:][:, 0, 0, 0], [1, 3, 0, 2])


def test_pixels_are_those_of_the_files(tmp_path):
    pixels = noise(3, 5, 7, 3)
    for i in range(3):
        save_image(tmp_path / f"{i}.png", pixels[i])
    folder = ImageFolder(tmp_path)
    assert (folder.shape, folder.varies) == ((3, 5, 7, 3), False)
    np.testing.assert_array_equal(folder[[2, 0]], pixels[[2, 0]])


def test_names_may_hold_any_letters(tmp_path):
    names = ["épée.png", "日本.png", "z.png"]
    for i, name in enumerate(names):
        save_image(tmp_path / name, i)
    folder = ImageFolder(tmp_path, reversed(names))
    assert list(folder.files) == names[::-1]
    np.testing.assert_array_equal(folder[:][:, 0, 0, 0], [2, 1, 0])


def test_a_million_names_take_little_memory(tmp_path):
    names = FileNames(f"n{i:08d}.JPEG" for i in range(1000))
    held = len(names._letters) + names._ends.nbytes
    assert held == 1000 * (14 + 8) + 8
    assert names[999] == "n00000999.JPEG"


def test_grey_images_among_colour_become_rgb(tmp_path):
    grey, colour, alpha = noise(4, 4), noise(4, 4, 3), noise(4, 4, 4)
    save_image(tmp_path / "0.png", grey)
    save_image(tmp_path / "1.png", colour)
    save_image(tmp_path / "2.png", alpha)
    save_image(tmp_path / "3.png", colour, "P")
    images = ImageFolder(tmp_path)[:]
    assert images.shape == (4, 4, 4, 3)
    np.testing.assert_array_equal(images[0], np.stack([grey] * 3, axis=-1))
    np.testing.assert_array_equal(images[1], colour)
    share = alpha[..., 3:] / 255
    np.testing.assert_allclose(
        images[2], alpha[..., :3] * share + 255 * (1 - share), atol=1
    )
    paletted = np.asarray(Image.open(tmp_path / "3.png").convert("RGB"))
    np.testing.assert_array_equal(images[3], paletted)


def test_images_that_are_all_grey_keep_one_channel(tmp_path):
    save_image(tmp_path / "0.png", noise(4, 4))
    save_image(tmp_path / "1.png", noise(4, 4, seed=1), "LA")
    images = ImageFolder(tmp_path)
    assert images.shape == (2, 4, 4, 1)
    np.testing.assert_array_equal(images[1][..., 0], noise(4, 4, seed=1))
    assert ImageFolder(tmp_path, channels=3).shape == (2, 4, 4, 3)


def test_images_of_several_sizes_need_a_size(tmp_path):
    save_image(tmp_path / "0.png", noise(4, 4, 3))
    save_image(tmp_path / "1.png", noise(6, 5, 3))
    text = r"`image_size` must be given if images differ in size\. Received: sizes="
    with pytest.raises(ValueError, match=text + r"\[\(4, 4\), \(6, 5\)\]"):
        ImageFolder(tmp_path)
    folder = ImageFolder(tmp_path, image_size=(4, 4))
    assert (folder.shape, folder.varies) == ((2, 4, 4, 3), True)
    np.testing.assert_array_equal(folder[0], noise(4, 4, 3))


def test_headers_are_read_of_a_sample_and_the_rest_is_checked_when_read(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(stored_images, "SAMPLED_HEADERS", 4)
    for i in range(20):
        save_image(tmp_path / f"{i:02d}.png", noise(4, 4))
    opened = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda p: opened.append(p) or real(p))
    folder = ImageFolder(tmp_path)
    assert len(opened) == 4
    unseen = [i for i in range(20) if folder.path(i) not in opened]
    save_image(tmp_path / f"{unseen[0]:02d}.png", noise(5, 4))
    save_image(tmp_path / f"{unseen[1]:02d}.png", noise(4, 4, 3))
    text = rf"differ in size\. Received: file='.*{unseen[0]:02d}\.png', size=\(5, 4\)"
    with pytest.raises(ValueError, match=text):
        folder[unseen[0]]
    text = rf"must be grey if the others are.* file='.*{unseen[1]:02d}\.png'"
    with pytest.raises(ValueError, match=text):
        folder[unseen[1]]


@pytest.mark.parametrize("extension", ["png", "jpg"])
def test_a_truncated_file_is_named_when_it_is_read(extension, tmp_path):
    for i in range(3):
        save_image(tmp_path / f"{i}.{extension}", noise(8, 8, 3))
    truncate(tmp_path / f"1.{extension}")
    folder = ImageFolder(tmp_path)
    assert folder[[0, 2]].shape == (2, 8, 8, 3)
    text = rf"Image files must be intact; .* Received: file='.*1\.{extension}', error="
    with pytest.raises(ValueError, match=text):
        folder[:]


def test_a_file_that_is_no_image_is_named_when_it_is_read(tmp_path):
    save_image(tmp_path / "0.png", 0)
    (tmp_path / "1.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"Received: file='.*1\.png', error=.cannot"):
        ImageFolder(tmp_path)[:]


def test_a_folder_without_intact_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`folder` must hold image files\. Received"):
        ImageFolder(tmp_path)
    (tmp_path / "1.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"must hold intact image files\. .*1\.png"):
        ImageFolder(tmp_path)
    with pytest.raises(ValueError, match=r"`channels` must be one of 1, 3, None"):
        ImageFolder(tmp_path, channels=2)
