import warnings

import numpy as np
import pytest

from keras_mixvit.data import ImageFolder, load
from keras_mixvit.data.sets._load import splits
from tests.data.files import noise, save_image, truncate


def save_set(folder, names=("train", "val"), classes=("ant", "bee"), count=3):
    """Images whose value is 10 * class + number."""
    for name in names:
        for k, label in enumerate(classes):
            for i in range(count):
                save_image(folder / name / label / f"{i}.png", 10 * k + i)


def values(images):
    return images.images[:][:, 0, 0, 0].tolist()


@pytest.mark.parametrize("validation", ["val", "validation"])
def test_splits_are_folders_of_classes(validation, tmp_path):
    save_set(tmp_path, ("train", validation))
    save_set(tmp_path, ("test",), count=1)
    assert splits(tmp_path) == ("train", "val", "test")
    for split, count in (("train", 3), ("val", 3), ("test", 1)):
        found = load(tmp_path, split)
        assert isinstance(found.images, ImageFolder)
        assert found.class_names == ("ant", "bee")
        assert found.labels.tolist() == [0] * count + [1] * count
        assert values(found) == [10 * k + i for k in (0, 1) for i in range(count)]


def test_a_folder_of_classes_is_a_train_split(tmp_path):
    save_set(tmp_path, (".",))
    assert splits(tmp_path) == ("train",)
    assert load(tmp_path).labels.tolist() == [0, 0, 0, 1, 1, 1]
    text = r"`split` must be one of 'train'\. Received: split='test'"
    with pytest.raises(ValueError, match=text):
        load(tmp_path, "test")


def test_a_folder_is_looked_for_in_data_dir(tmp_path):
    save_set(tmp_path / "mine")
    assert splits("./mine", tmp_path) == ("train", "val")
    assert len(load("./mine", "val", data_dir=tmp_path).labels) == 6


def test_statistics_of_a_folder_are_computed(tmp_path):
    save_set(tmp_path)
    mean, std = load(tmp_path).statistics()
    expected = np.array([0, 1, 2, 10, 11, 12])
    np.testing.assert_allclose(mean, [expected.mean()] * 3)
    np.testing.assert_allclose(std, [expected.std()] * 3)


@pytest.mark.parametrize("image_size", [8, (8, 8)])
def test_images_are_resized_to_the_size(image_size, tmp_path):
    save_set(tmp_path)
    save_image(tmp_path / "val" / "bee" / "wide.png", noise(6, 9, 3))
    for split in ("train", "val"):
        found = load(tmp_path, split, image_size=image_size)
        assert found.images.shape[1:] == (8, 8, 3)
        assert found.images[:].shape == found.images.shape
        assert found.images.varies


def test_a_split_of_another_size_than_train_needs_a_size(tmp_path):
    save_set(tmp_path, ("train",))
    save_image(tmp_path / "val" / "ant" / "0.png", noise(6, 9, 3))
    text = r"`image_size` must be given if .* train=\(4, 4\), val=\(6, 9\)"
    with pytest.raises(ValueError, match=text):
        load(tmp_path, "val")


def test_colours_are_those_of_the_train_split(tmp_path):
    save_set(tmp_path, ("train",))
    save_image(tmp_path / "val" / "ant" / "0.png", noise(4, 4))
    for size in (None, 4):
        assert load(tmp_path, "val", image_size=size).images.shape == (1, 4, 4, 3)


def test_the_share_of_the_shorter_side_reaches_the_images(tmp_path):
    save_set(tmp_path)
    assert load(tmp_path, image_size=8).images.resize_share == 1.0
    found = load(tmp_path, "val", image_size=8, resize_share=0.5)
    assert found.images.resize_share == 0.5


def test_a_class_without_images_is_refused(tmp_path):
    save_set(tmp_path)
    (tmp_path / "train" / "cat").mkdir()
    text = r"Every class must have an image in the train split\. .* empty=\['cat'\]"
    with pytest.raises(ValueError, match=text):
        load(tmp_path)


def test_a_class_that_is_not_in_train_is_refused(tmp_path):
    save_set(tmp_path)
    save_image(tmp_path / "val" / "cat" / "0.png", 0)
    text = r"Every class must be in the train split\. .* unknown=\['cat'\]"
    with pytest.raises(ValueError, match=text):
        load(tmp_path, "val")


@pytest.mark.parametrize("names", [(), ("val", "test")])
def test_a_folder_without_classes_is_refused(names, tmp_path):
    save_set(tmp_path, names)
    text = r"A folder must hold a folder `train`, or folders of classes\. Received: "
    with pytest.raises(ValueError, match=text):
        load(tmp_path)


def test_files_that_are_no_images_are_left_out_with_one_warning(tmp_path):
    save_set(tmp_path)
    (tmp_path / "train" / "bee" / "1.png").write_bytes(b"no image")
    save_image(tmp_path / "train" / "ant" / "2.png", noise(4, 4, 3))
    truncate(tmp_path / "train" / "ant" / "2.png")
    text = (
        r"2 of 6 files of the train split are damaged and are left out, the "
        r"first one .*ant/2\.png \("
    )
    with pytest.warns(UserWarning, match=text) as caught:
        found = load(tmp_path, on_error="skip")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert values(found) == [0, 1, 10, 12]
    with pytest.raises(ValueError, match=r"Image files must be intact; .*ant/2\.png"):
        load(tmp_path).images[:]


def test_intact_files_are_left_in_without_a_warning(tmp_path):
    save_set(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load(tmp_path, "val", on_error="skip").images) == 6


def test_a_class_that_has_lost_all_its_images_is_refused(tmp_path):
    save_set(tmp_path, count=1)
    (tmp_path / "train" / "bee" / "0.png").write_bytes(b"no image")
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match=r"must have an image .* empty=\['bee'\]"),
    ):
        load(tmp_path, on_error="skip")


def test_arguments_of_load_are_checked(tmp_path):
    save_set(tmp_path)
    with pytest.raises(
        ValueError, match=r"`on_error` must be one of 'when_read', 'refuse', 'skip'"
    ):
        load(tmp_path, on_error="ignore")
    for size in (0, (8,), (8, -1)):
        with pytest.raises(
            ValueError, match=r"`image_size` must be a positive integer"
        ):
            load(tmp_path, image_size=size)


def test_all_damaged_files_are_refused_at_once(tmp_path):
    save_set(tmp_path)
    (tmp_path / "train" / "ant" / "1.png").write_bytes(b"")
    (tmp_path / "train" / "bee" / "2.png").write_text("words")
    text = (
        r"(?s)Image files must be intact, but 2 of 6 files of the train split are "
        r'damaged\. `on_error="skip"`, or --on-error skip, leaves them out\.'
        r".*  ant/1\.png: .*  bee/2\.png: cannot identify"
    )
    with pytest.raises(ValueError, match=text):
        load(tmp_path, on_error="refuse")
    assert len(load(tmp_path, "val", on_error="refuse").labels) == 6


def test_skipped_files_are_known_and_can_be_left_out_again(tmp_path):
    save_set(tmp_path)
    (tmp_path / "train" / "ant" / "1.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="1 of 6 files of the train split are damaged"):
        found = load(tmp_path, on_error="skip")
    assert list(found.images.skipped) == ["ant/1.png"]
    assert values(found) == [0, 2, 10, 11, 12]
    again = load(tmp_path, leave_out=found.images.skipped)
    assert values(again) == values(found)
    assert again.labels.tolist() == found.labels.tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(ValueError, match=r"`leave_out` must be empty for images that"):
        load("digits", leave_out=["0.png"])
