import hashlib
import pickle
import struct
import tarfile

import numpy as np
import pytest

from keras_mixvit.data import load
from keras_mixvit.data.sets._cifar import ARCHIVES
from keras_mixvit.data.sets._cifar_names import CIFAR10_CLASSES, CIFAR100_CLASSES
from keras_mixvit.data.sets._load import splits
from tests.data.files import noise

FORMS = [(name, form) for name in ARCHIVES for form in (0, 1)]
COUNT = 3


def text(content):
    return b"U" + bytes([len(content)]) + content


def python2_pickle(images, key, labels):
    """A pickle as Python 2 wrote the published ones: {"data": ..., key: [...]}."""
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + text(b"|") + b"NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
    array += text(b"b") + b"\x87R(K\x01" + b"M" + struct.pack("<H", images.shape[0])
    array += b"M" + struct.pack("<H", images.shape[1]) + b"\x86" + dtype + b"\x89"
    array += b"T" + struct.pack("<i", images.size) + images.tobytes() + b"tb"
    listed = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(key) + listed + b"u."


def save_files(folder, name, form):
    """The published files, of 3 images each; images and labels by split."""
    archive = ARCHIVES[name][form]
    inner = folder / archive.folder
    inner.mkdir(parents=True)
    found, seed = {}, 0
    for split, members in archive.members.items():
        images, labels = [], []
        for member in members:
            pixels = noise(COUNT, 3, 32, 32, seed=seed)
            numbers = [(seed + i) % 10 for i in range(COUNT)]
            seed += 1
            rows = pixels.reshape(COUNT, -1)
            if archive.labels is None:
                # CIFAR-100 has the coarse label first.
                coarse = b"\x63" * (archive.prefix - 1)
                content = b"".join(
                    coarse + bytes([label]) + row.tobytes()
                    for label, row in zip(numbers, rows, strict=True)
                )
            else:
                content = python2_pickle(rows, archive.labels, numbers)
            (inner / member).write_bytes(content)
            images.append(pixels.transpose(0, 2, 3, 1))
            labels += numbers
        found[split] = np.concatenate(images), labels
    return archive, found


def pack(folder, archive, monkeypatch=None):
    """The archive of the files, whose checksum becomes the published one."""
    path = folder / archive.file
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder / archive.folder, archive.folder)
    for member in (folder / archive.folder).iterdir():
        member.unlink()
    if monkeypatch is not None:
        published(path, archive, monkeypatch)
    return path


def published(path, archive, monkeypatch):
    """Makes the checksum of a file the published one."""
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    name = next(name for name, forms in ARCHIVES.items() if archive in forms)
    forms = tuple(
        type(form)(**{**vars(form), "md5": md5}) if form == archive else form
        for form in ARCHIVES[name]
    )
    monkeypatch.setitem(ARCHIVES, name, forms)


def check(name, place, expected):
    for split, (images, labels) in expected.items():
        found = load(name, split, data_dir=place)
        np.testing.assert_array_equal(found.images, images)
        assert found.labels.tolist() == labels


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_unpacked_files_are_read(name, form, tmp_path):
    archive, expected = save_files(tmp_path, name, form)
    for place in (tmp_path, tmp_path / archive.folder):
        check(name, place, expected)
    assert splits(name, tmp_path) == ("train", "test")


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_archives_are_read(name, form, tmp_path, monkeypatch):
    archive, expected = save_files(tmp_path, name, form)
    path = pack(tmp_path, archive, monkeypatch)
    for place in (tmp_path, path):
        check(name, place, expected)


def test_pickles_of_python_3_are_read(tmp_path):
    archive, expected = save_files(tmp_path, "cifar100", 0)
    images, labels = expected["test"]
    rows = images.transpose(0, 3, 1, 2).reshape(COUNT, -1)
    content = pickle.dumps({b"data": rows.copy(), b"fine_labels": labels}, 3)
    (tmp_path / archive.folder / "test").write_bytes(content)
    check("cifar100", tmp_path, expected)


def test_classes_are_the_published_ones(tmp_path):
    save_files(tmp_path, "cifar10", 0)
    save_files(tmp_path, "cifar100", 1)
    assert load("cifar10", data_dir=tmp_path).class_names == CIFAR10_CLASSES
    assert load("cifar100", data_dir=tmp_path).class_names == CIFAR100_CLASSES
    assert CIFAR10_CLASSES[::9] == ("airplane", "truck")
    # In the order of the alphabet, as in the published `meta`.
    assert list(CIFAR100_CLASSES) == sorted(set(CIFAR100_CLASSES))
    assert (len(CIFAR100_CLASSES), CIFAR100_CLASSES[23]) == (100, "cloud")


def test_statistics_are_those_of_the_mixmo_code(tmp_path):
    save_files(tmp_path, "cifar100", 1)
    mean, std = load("cifar100", data_dir=tmp_path).statistics()
    np.testing.assert_allclose(mean, 255 * np.array([0.49137, 0.48235, 0.44667]))
    np.testing.assert_allclose(std, 255 * np.array([0.2023, 0.1994, 0.2010]))


@pytest.mark.parametrize("place", ["cifar10.npz", "."])
def test_an_npz_file_of_the_name_is_read(place, tmp_path):
    x, y = noise(4, 32, 32, 3), np.array([9, 0, 1, 2])
    np.savez(tmp_path / "cifar10.npz", x_train=x, y_train=y, x_val=x[:1], y_val=y[:1])
    assert splits("cifar10", tmp_path / place) == ("train", "val")
    found = load("cifar10", data_dir=tmp_path / place)
    np.testing.assert_array_equal(found.images, x)
    assert found.class_names == CIFAR10_CLASSES
    assert found.statistics()[0][0] == pytest.approx(255 * 0.49137)


def test_statistics_of_floats_are_computed(tmp_path):
    x, y = np.random.default_rng(0).random((4, 32, 32, 3)), np.arange(4)
    np.savez(tmp_path / "cifar10.npz", x_train=x, y_train=y)
    mean, _ = load("cifar10", data_dir=tmp_path).statistics()
    np.testing.assert_allclose(mean, x.mean(axis=(0, 1, 2)))


def test_images_are_resized_when_they_are_read(tmp_path):
    save_files(tmp_path, "cifar10", 1)
    found = load("cifar10", "test", data_dir=tmp_path, image_size=64)
    assert found.images.shape == (COUNT, 64, 64, 3)
    assert found.images[:].shape == (COUNT, 64, 64, 3)
    assert found.mean is not None


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_a_wrong_checksum_is_refused_by_name(name, form, tmp_path):
    archive, _ = save_files(tmp_path, name, form)
    pack(tmp_path, archive)
    text = (
        rf"{archive.file} must be complete, with the MD5 sum {archive.md5}\. Received: "
        rf"file='.*{archive.file}', md5='[0-9a-f]{{32}}'"
    )
    with pytest.raises(ValueError, match=text):
        load(name, data_dir=tmp_path)


def test_the_published_checksums_are_held():
    assert [a.md5 for forms in ARCHIVES.values() for a in forms] == [
        "c58f30108f718f92721af3b95e74349a",
        "c32a1d4ab5d03f1284b67883e8d87530",
        "eb9058c3a382ffc7106e4002c42a8d85",
        "03b5dce01913d631647c71ecec9e9cb8",
    ]


def test_a_truncated_archive_is_refused_by_name(tmp_path, monkeypatch):
    archive, _ = save_files(tmp_path, "cifar10", 0)
    path = pack(tmp_path, archive)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ValueError, match=r"cifar-10-python\.tar\.gz must be complete"):
        load("cifar10", data_dir=tmp_path)
    # Even if the checksum were right.
    published(path, archive, monkeypatch)
    text = r"A file of cifar10 must be intact and as published\. Received: file='.*: "
    with pytest.raises(ValueError, match=text):
        load("cifar10", data_dir=tmp_path)


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_a_damaged_file_is_refused_by_name(name, form, tmp_path):
    archive, _ = save_files(tmp_path, name, form)
    member = archive.members["test"][0]
    path = tmp_path / archive.folder / member
    path.write_bytes(path.read_bytes()[:-7])
    text = rf"A file of {name} must be intact and as published\. .*{member}', error="
    with pytest.raises(ValueError, match=text):
        load(name, "test", data_dir=tmp_path)


@pytest.mark.parametrize(
    "data", [noise(3, 3071), noise(2, 3072), noise(3, 3072).astype("float32"), [1]]
)
def test_arrays_that_are_not_as_published_are_refused(data, tmp_path):
    archive, _ = save_files(tmp_path, "cifar100", 0)
    content = pickle.dumps({b"data": data, b"fine_labels": [1, 2, 3]}, 3)
    (tmp_path / archive.folder / "test").write_bytes(content)
    with pytest.raises(ValueError, match=r"`data` must be uint8 \(n, 3072\) with n"):
        load("cifar100", "test", data_dir=tmp_path)


class Opened:
    """Leaves a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_malicious_pickle_is_refused_by_name_and_never_run(tmp_path):
    archive, _ = save_files(tmp_path, "cifar10", 0)
    trap = pickle.dumps({b"data": Opened(str(tmp_path / "trace"))}, 3)
    (tmp_path / archive.folder / "test_batch").write_bytes(trap)
    text = r"file='.*test_batch', error='\w+\.open is not part of an array'"
    with pytest.raises(ValueError, match=text):
        load("cifar10", "test", data_dir=tmp_path)
    assert not (tmp_path / "trace").exists()


def test_a_folder_without_the_set_says_what_to_put_there(tmp_path):
    text = (
        r"`data_dir` must hold cifar-10-python\.tar\.gz or cifar-10-batches-py, "
        r"cifar-10-binary\.tar\.gz or cifar-10-batches-bin or cifar10\.npz\. Received: "
    )
    with pytest.raises(ValueError, match=text):
        load("cifar10", data_dir=tmp_path)
