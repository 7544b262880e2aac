import numpy as np
import pytest

from keras_mixvit.data import ImageSet, load
from keras_mixvit.data.sets._validation_split import validation_indices, with_validation
from tests.data.files import save_image

COUNTS = [
    [500] * 10,
    [50, 30, 20],
    [7, 7, 7, 7],
    [1, 1, 100],
    [3, 0, 17, 29],
    [2, 2],
    [1000, 1],
]


def labels_of(counts, seed=0):
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(labels)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("share", [0.1, 0.25, 0.29, 0.5])
def test_each_class_gives_its_share_and_the_total_is_exact(counts, share):
    labels = labels_of(counts)
    total = int(share * len(labels) + 0.5 + 1e-9)
    room = [max(0, n - 1) for n in counts]
    if not 0 < total <= sum(room):
        pytest.skip("no such split")
    chosen = validation_indices(labels, share)
    taken = np.bincount(labels[chosen], minlength=len(counts))
    assert len(chosen) == taken.sum() == total
    assert (np.diff(chosen) > 0).all()
    # Every class keeps a training image.
    assert (taken <= room).all()
    for n, m, most in zip(counts, taken, room, strict=True):
        assert abs(m - share * n) < 1 + 1e-9 or m == most
    # The largest fractions are rounded up: no class that was rounded down has a
    # larger one, unless nothing is left to take.
    exact = [round(share * n, 9) for n in counts]
    down = [
        e % 1 for e, m, r in zip(exact, taken, room, strict=True) if m < e and m < r
    ]
    up = [e % 1 for e, m in zip(exact, taken, strict=True) if m > e]
    if down and up:
        assert max(down) <= min(up) + 1e-9


def test_it_is_a_function_of_labels_share_and_seed():
    labels = labels_of([50, 30, 20])
    first = validation_indices(labels, 0.2)
    for same in (labels.astype("int64"), labels.tolist(), labels.astype("uint8")):
        np.testing.assert_array_equal(validation_indices(same, 0.2), first)
    assert (validation_indices(labels, 0.2, seed=1) != first).any()
    assert (validation_indices(labels_of([50, 30, 20], 1), 0.2) != first).any()


def test_it_is_the_same_everywhere():
    """Stored, so that another backend, machine or version cannot draw otherwise."""
    labels = np.arange(40) % 4
    expected = [5, 10, 11, 16, 24, 31, 34, 37]
    assert validation_indices(labels, 0.2).tolist() == expected


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, True, "0.1", float("nan"), None])
def test_a_share_outside_of_0_and_1_is_refused(share):
    text = r"`val_share` must be in \(0, 1\)\. Received: val_share="
    with pytest.raises(ValueError, match=text):
        validation_indices([0, 0, 1, 1], share)


@pytest.mark.parametrize(
    ("counts", "share"), [([4], 0.1), ([5, 5], 0.9), ([1, 1], 0.5), ([2], 0.9)]
)
def test_a_split_that_leaves_nothing_is_refused(counts, share):
    text = "`val_share` must give at least one validation image and leave every class"
    with pytest.raises(ValueError, match=text):
        validation_indices(labels_of(counts), share)


def test_the_parts_make_up_the_whole_and_keep_its_facts():
    labels = labels_of([20, 10, 10])
    images = np.arange(40, dtype="uint8").reshape(40, 1, 1, 1)
    whole = ImageSet(images, labels, ("ant", "bee", "cat"), (7.0,), (2.0,))
    train, val = with_validation(whole, 0.1)
    chosen = validation_indices(labels, 0.1)
    np.testing.assert_array_equal(val.images, images[chosen])
    np.testing.assert_array_equal(val.labels, labels[chosen])
    both = np.concatenate([train.images.ravel(), val.images.ravel()])
    assert sorted(both) == list(range(40))
    for part in (train, val):
        assert part.class_names == whole.class_names
        assert part.statistics() == ([7.0], [2.0])
        np.testing.assert_array_equal(part.labels, labels[part.images.ravel()])


def test_load_cuts_both_splits_and_leaves_the_test_split(tmp_path):
    digits, test = load("digits"), load("digits", "test")
    arrays = {"x_train": digits.images, "y_train": digits.labels}
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays, x_test=test.images, y_test=test.labels)
    train, val = (load(path, split, val_share=0.1) for split in ("train", "val"))
    assert (len(train.labels), len(val.labels)) == (900, 100)
    expected = with_validation(load(path), 0.1)
    for part, known in zip((train, val), expected, strict=True):
        np.testing.assert_array_equal(part.images, known.images)
        np.testing.assert_array_equal(part.labels, known.labels)
    judged = load(path, "test", val_share=0.1)
    np.testing.assert_array_equal(judged.images, test.images)


def test_images_of_files_are_cut_and_stay_on_the_disk(tmp_path):
    for name in ("ant", "bee"):
        for i in range(10):
            save_image(tmp_path / name / f"{i}.png", 10 * i + (name == "bee"))
    whole = load(tmp_path)
    train, val = (load(tmp_path, s, val_share=0.2) for s in ("train", "val"))
    assert (len(train.labels), len(val.labels)) == (16, 4)
    assert np.bincount(val.labels).tolist() == [2, 2]
    chosen = validation_indices(whole.labels, 0.2)
    np.testing.assert_array_equal(val.images[:], whole.images[chosen])
    assert not isinstance(val.images, np.ndarray)


def test_a_set_with_a_validation_split_is_not_cut():
    text = (
        r"`val_share` must not be set for a set that has a validation split\. "
        r"Received: val_share=0\.1, name='digits'"
    )
    with pytest.raises(ValueError, match=text):
        load("digits", val_share=0.1)
