"""Which images meet in a batch, how often, and in which order."""

import numpy as np
import pytest

from keras_mixvit.data import mixed_pair_dataset
from keras_mixvit.masks import ConstantMasks, CutMixMasks, LinearMasks
from tests.data.pairs import indices, numbered, pairs, same


def epoch_of(dataset, epoch=0):
    """Indices of the images of every batch of an epoch."""
    return [indices(dataset.batch(epoch, index)[0]) for index in range(len(dataset))]


@pytest.mark.parametrize("members", [1, 2, 3])
@pytest.mark.parametrize("repetitions", [2, 4, 8])
def test_a_batch_holds_few_images_each_as_often_for_every_member(members, repetitions):
    masks = ConstantMasks(2, num_subnetworks=members)
    for found in epoch_of(pairs(masks=masks, repetitions=repetitions), 1):
        assert found.shape == (8, members)
        images = np.unique(found)
        assert len(images) == 8 // repetitions
        for member in range(members):
            _, counts = np.unique(found[:, member], return_counts=True)
            np.testing.assert_array_equal(counts, repetitions)
            np.testing.assert_array_equal(np.unique(found[:, member]), images)


@pytest.mark.parametrize("repetitions", [1, 2, 4])
def test_an_epoch_has_as_many_times_more_steps(repetitions):
    dataset = pairs(count=32, repetitions=repetitions)
    assert len(dataset) == 4 * repetitions
    assert dataset.images_per_batch == 8 // repetitions


@pytest.mark.parametrize(
    ("count", "repetitions", "drop_remainder", "sizes"),
    [
        (21, 2, True, [8] * 5),
        (21, 2, False, [8] * 5 + [2]),
        (22, 4, True, [8] * 11),
        (23, 4, False, [8] * 11 + [4]),
        (24, 2, False, [8] * 6),
        (3, 2, False, [6]),
        (1, 8, True, [8]),
    ],
)
def test_the_remainder_is_repeated_too(count, repetitions, drop_remainder, sizes):
    dataset = pairs(count=count, repetitions=repetitions, drop_remainder=drop_remainder)
    found = epoch_of(dataset)
    assert [len(batch) for batch in found] == sizes
    for batch in found:
        _, counts = np.unique(batch[:, 1], return_counts=True)
        np.testing.assert_array_equal(counts, repetitions)


@pytest.mark.parametrize("epoch", [0, 2])
def test_every_image_is_in_one_batch_of_an_epoch(epoch):
    found = epoch_of(pairs(count=22, repetitions=4, drop_remainder=False), epoch)
    images = np.concatenate([np.unique(batch) for batch in found])
    np.testing.assert_array_equal(np.sort(images), np.arange(22))


@pytest.mark.parametrize("repetitions", [1, 2, 4])
def test_members_meet_their_own_image_as_often_as_chance_has_it(repetitions):
    batches = 50
    dataset = pairs(
        count=64, batch_size=64, epochs=batches, repetitions=repetitions, seed=1
    )
    met = [
        np.mean(found[:, 0] == found[:, 1])
        for epoch in range(batches)
        for found in epoch_of(dataset, epoch)
    ]
    expected = repetitions / 64
    # A count of a rare event varies about as much as it is large.
    deviation = (expected / 64 / len(met)) ** 0.5
    assert abs(np.mean(met) - expected) < 4 * deviation


def test_a_batch_may_be_one_image_of_a_smaller_data_set():
    dataset = pairs(count=3, batch_size=8, repetitions=8)
    assert len(dataset) == 3
    assert all(len(np.unique(found)) == 1 for found in epoch_of(dataset))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"repetitions": 3},
            r"`repetitions` must divide `batch_size`\. "
            r"Received: repetitions=3, batch_size=8",
        ),
        (
            {"repetitions": 16},
            r"`repetitions` must divide `batch_size`\. "
            r"Received: repetitions=16, batch_size=8",
        ),
        (
            {"repetitions": 0},
            r"`repetitions` must be an integer of at least 1\. "
            r"Received: repetitions=0",
        ),
        (
            {"repetitions": 2.0},
            r"`repetitions` must be an integer of at least 1\. "
            r"Received: repetitions=2\.0",
        ),
        (
            {"batch_size": 50, "repetitions": 2},
            r"`batch_size` must not exceed the number of images\. "
            r"Received: batch_size=50, images=24",
        ),
        (
            {"input_repetition": 1.1},
            r"`input_repetition` must be in \[0, 1\]\. "
            r"Received: input_repetition=1\.1",
        ),
        (
            {"input_repetition": -0.1},
            r"`input_repetition` must be in \[0, 1\]\. "
            r"Received: input_repetition=-0\.1",
        ),
        (
            {"input_repetition": float("nan")},
            r"`input_repetition` must be in \[0, 1\]\. "
            r"Received: input_repetition=nan",
        ),
        (
            {"input_order": "ratio"},
            r"`input_order` must be one of 'random', 'by_ratio', None\. "
            r"Received: input_order='ratio'",
        ),
        (
            {"num_classes": 0},
            r"`num_classes` must be an integer of at least 1\. "
            r"Received: num_classes=0",
        ),
        (
            {"num_classes": 23},
            r"`y` must be in 0 to 22\. Received: range=\(0, 23\)",
        ),
        (
            {"num_classes": 5, "y": np.full((24, 4), 0.25)},
            r"`y` must have 5 classes\. Received: shape=\(24, 4\)",
        ),
    ],
)
def test_wrong_options_are_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        pairs(**changes)


@pytest.mark.parametrize("members", [2, 3])
@pytest.mark.parametrize("repetitions", [1, 4])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_the_samples_holds_one_image_in_every_input(
    members, repetitions, share
):
    dataset = pairs(
        count=64,
        batch_size=64,
        epochs=20,
        masks=ConstantMasks(2, num_subnetworks=members),
        input_repetition=share,
        repetitions=repetitions,
    )
    shares = []
    for epoch in range(20):
        found = indices(dataset.batch(epoch, 0)[0])
        sorted_columns = np.sort(found, axis=0)
        assert np.all(sorted_columns == sorted_columns[:, :1])
        shares.append(np.mean(np.all(found == found[:, :1], axis=1)))
    assert min(shares) >= share
    # The others meet themselves by chance alone, about b of 64.
    assert np.mean(shares) <= share + (2 * repetitions / 64 if share < 1 else 0)


def test_which_image_is_repeated_is_drawn_anew():
    dataset = pairs(count=8, epochs=20, input_repetition=0.5)
    repeated = set()
    for epoch in range(20):
        found = indices(dataset.batch(epoch, 0)[0])
        repeated |= set(found[found[:, 0] == found[:, 1], 0])
    assert repeated == set(range(8))


def test_with_one_input_there_is_nothing_to_repeat():
    masks = ConstantMasks(2, num_subnetworks=1)
    plain, repeated = pairs(masks=masks), pairs(masks=masks, input_repetition=0.5)
    assert same(plain[0], repeated[0])


def labels_of(kind, count=24):
    """Labels of which the index of the image can be read off."""
    return np.arange(count) if kind == "integer" else np.eye(count)[::-1].copy()


@pytest.mark.parametrize("kind", ["integer", "soft"])
@pytest.mark.parametrize("order", ["random", "by_ratio"])
@pytest.mark.parametrize("members", [2, 3])
def test_images_masks_and_labels_change_places_together(kind, order, members):
    y = labels_of(kind)
    masks = LinearMasks(2, members)
    drawn = pairs(y=y, masks=masks)
    changed = pairs(y=y, masks=masks, input_order=order)
    moved = 0
    for index in range(3):
        (before, _), (after, labels) = drawn[index], changed[index]
        old, new = indices(before), indices(after)
        np.testing.assert_array_equal(labels, y[new])
        for sample in range(8):
            # Shares of linear masks tell the inputs apart.
            old_shares = before["masks"][sample, :, 0, 0]
            new_shares = after["masks"][sample, :, 0, 0]
            places = [list(old_shares).index(share) for share in new_shares]
            assert sorted(places) == list(range(members))
            np.testing.assert_array_equal(new[sample], old[sample][places])
            moved += places != list(range(members))
    assert moved > 0


def test_the_first_image_has_the_largest_mask_by_ratio():
    dataset = pairs(masks=CutMixMasks(2, 3), input_order="by_ratio", epochs=20)
    for epoch in range(20):
        shares = dataset.batch(epoch, 0)[0]["masks"].mean(axis=(2, 3))
        assert np.all(np.diff(shares, axis=1) <= 0)


def test_equal_shares_leave_the_order_as_it_is():
    masks = ConstantMasks(2, 3)
    ordered = pairs(masks=masks, input_order="by_ratio")
    assert same(ordered[0], pairs(masks=masks)[0])


def test_random_order_is_fair_to_every_member_of_each_sample():
    changes = {"count": 400, "batch_size": 400, "masks": CutMixMasks(2), "epochs": 8}
    dataset = pairs(**changes, input_order="random")
    firsts = []
    for epoch in range(8):
        shares = dataset.batch(epoch, 0)[0]["masks"].mean(axis=(2, 3))
        # As drawn, one member has the box in the whole batch.
        drawn = pairs(**changes).batch(epoch, 0)[0]["masks"].mean(axis=(2, 3))
        assert abs(drawn[:, 0].mean() - 0.5) > 0.1
        firsts.append(shares[:, 0])
    # The deviation of a share is at most a half.
    assert abs(np.mean(firsts) - 0.5) < 4 * 0.5 / (8 * 400) ** 0.5
    assert np.std(np.mean(firsts, axis=1)) < 0.05


@pytest.mark.parametrize("order", ["random", "by_ratio"])
def test_an_order_is_a_function_of_seed_epoch_and_batch(order):
    def dataset(seed=0):
        return pairs(masks=LinearMasks(2), input_order=order, seed=seed)

    used = dataset()
    used.batch(0, 0)
    assert same(used.batch(2, 1), dataset().batch(2, 1))
    assert not same(used.batch(2, 1), used.batch(1, 1))
    assert not same(used.batch(2, 1), dataset(seed=1).batch(2, 1))


def test_the_number_of_classes_makes_soft_labels_of_integers():
    inputs, labels = pairs(num_classes=30)[1]
    assert labels.shape == (8, 2, 30)
    assert labels.dtype == "float32"
    np.testing.assert_array_equal(labels, np.eye(30)[indices(inputs)])


def test_the_number_of_classes_leaves_soft_labels_alone():
    y = labels_of("soft")
    assert same(pairs(y=y, num_classes=24)[0], pairs(y=y)[0])


def test_the_caller_keeps_his_integer_labels():
    y = np.arange(24)
    dataset = mixed_pair_dataset(
        numbered(24), y, CutMixMasks(2), epochs=1, batch_size=8, num_classes=24
    )
    assert dataset.y.shape == (24, 24)
    np.testing.assert_array_equal(y, np.arange(24))
