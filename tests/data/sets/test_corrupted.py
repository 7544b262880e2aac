import numpy as np
import pytest

from keras_mixvit.data import CORRUPTIONS, load_corrupted
from keras_mixvit.data.sets._cifar_names import CIFAR100_CLASSES
from tests.data.files import noise

# Two images per severity, not 10,000.
IMAGES, LABELS = noise(10, 32, 32, 3), np.arange(10) + 50


def save(folder, images=IMAGES, labels=LABELS, corruption="fog"):
    folder.mkdir(exist_ok=True)
    np.save(folder / f"{corruption}.npy", images)
    np.save(folder / "labels.npy", labels)


@pytest.mark.parametrize("severity", [1, 5])
def test_a_severity_is_its_part_of_the_file(severity, tmp_path):
    save(tmp_path / "CIFAR-100-C")
    part = slice(2 * severity - 2, 2 * severity)
    for place in (tmp_path, tmp_path / "CIFAR-100-C"):
        found = load_corrupted("cifar100", "fog", severity, place)
        np.testing.assert_array_equal(found.images, IMAGES[part])
        np.testing.assert_array_equal(found.labels, LABELS[part])
        assert found.class_names == CIFAR100_CLASSES
        assert found.mean is not None


def test_images_stay_on_the_disk(tmp_path):
    save(tmp_path)
    images = load_corrupted("cifar100", "fog", 2, tmp_path).images
    while not isinstance(images, np.memmap):
        images = images.base
        assert images is not None


def test_the_benchmark_has_15_corruptions_and_4_more_are_loaded(tmp_path):
    assert len(set(CORRUPTIONS)) == 15
    save(tmp_path, corruption="saturate")
    assert "saturate" not in CORRUPTIONS
    assert len(load_corrupted("cifar100", "saturate", 1, tmp_path).images) == 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": "mnist"}, r"`name` must be one of 'cifar10', 'cifar100'\. Received"),
        ({"corruption": "frog"}, r"`corruption` must be a known name\. .*'fog'"),
        ({"severity": 0}, r"`severity` must be one of 1, 2, 3, 4, 5\. Received: sev"),
        (
            {"corruption": "snow"},
            r"must be the folder CIFAR-100-C, or hold it\. .* missing=\['snow\.npy'\]",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change, text, tmp_path):
    save(tmp_path)
    arguments = {"name": "cifar100", "corruption": "fog", "severity": 1, **change}
    with pytest.raises(ValueError, match=text):
        load_corrupted(**arguments, data_dir=tmp_path)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (IMAGES[:9], LABELS[:9]),
        (IMAGES, LABELS[:5]),
        (IMAGES[:, :16], LABELS),
        (IMAGES.astype("float32"), LABELS),
    ],
)
def test_arrays_that_are_not_as_published_are_refused(images, labels, tmp_path):
    save(tmp_path, images, labels)
    text = r"CIFAR-100-C must hold uint8 images of shape \(50000, 32, 32, 3\) and as"
    with pytest.raises(ValueError, match=text):
        load_corrupted("cifar100", "fog", 1, tmp_path)


def test_pickled_and_truncated_files_are_refused_by_name(tmp_path):
    save(tmp_path, labels=np.array([{}], object))
    text = r"must be an intact \.npy file without pickled objects\. .*labels\.npy'"
    with pytest.raises(ValueError, match=text):
        load_corrupted("cifar100", "fog", 1, tmp_path)
    save(tmp_path)
    (tmp_path / "fog.npy").write_bytes((tmp_path / "fog.npy").read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"must be an intact \.npy .*fog\.npy'"):
        load_corrupted("cifar100", "fog", 1, tmp_path)
