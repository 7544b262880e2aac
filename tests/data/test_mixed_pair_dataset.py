import keras
import numpy as np
import pytest

from keras_mixvit.data import MixedPairDataset, mixed_pair_dataset
from keras_mixvit.masks import ConstantMasks, PatchCutMix
from tests.data.pairs import Recorder, indices, numbered, pairs, same


def test_a_batch_is_a_pair_of_images_and_masks_with_labels():
    dataset = pairs()
    inputs, labels = dataset[0]
    assert isinstance(dataset, keras.utils.PyDataset)
    assert set(inputs) == {"images", "masks"}
    assert inputs["images"].shape == (8, 2, 4, 6, 2)
    assert inputs["masks"].shape == (8, 2, 2, 3)
    assert labels.shape == (8, 2)
    assert inputs["images"].dtype == inputs["masks"].dtype == "float32"
    assert labels.dtype == "int32"
    assert dataset.image_shape == (4, 6, 2)
    assert dataset.masks_shape == (2, 2, 3)


def test_defaults_are_128_pairs_shuffled_without_remainder():
    dataset = mixed_pair_dataset(
        numbered(130), np.arange(130), PatchCutMix(patch_size=2), epochs=1
    )
    assert (dataset.batch_size, dataset.seed, dataset.reading_workers) == (128, 0, 1)
    assert len(dataset) == 1
    assert isinstance(dataset, MixedPairDataset)


@pytest.mark.parametrize("members", [2, 3])
def test_every_member_is_a_permutation_of_the_images_of_the_batch(members):
    dataset = pairs(masks=PatchCutMix(2, num_subnetworks=members))
    for index in range(len(dataset)):
        found = np.sort(indices(dataset[index][0]), axis=0)
        assert found.shape == (8, members)
        assert len(set(found[:, 0])) == 8
        assert np.all(found == found[:, :1])


def test_members_are_independent_permutations():
    dataset = pairs(count=64, batch_size=64, epochs=60)
    met = 0
    for epoch in range(60):
        found = indices(dataset.batch(epoch, 0)[0])
        met += np.sum(found[:, 0] == found[:, 1])
    # One image in a batch meets itself on average; the deviation is 0.13.
    assert 0.4 < met / 60 < 1.6


@pytest.mark.parametrize("epoch", [0, 2])
def test_an_epoch_serves_every_image_once_per_member(epoch):
    dataset = pairs()
    found = [indices(dataset.batch(epoch, index)[0]) for index in range(3)]
    found = np.sort(np.concatenate(found), axis=0)
    np.testing.assert_array_equal(found, np.arange(24)[:, None].repeat(2, axis=1))


def test_an_epoch_with_a_remainder_serves_no_image_twice():
    dataset = pairs(count=21)
    found = [indices(dataset.batch(1, index)[0]) for index in range(len(dataset))]
    found = np.concatenate(found)
    for member in range(2):
        assert len(set(found[:, member])) == 16


def test_labels_follow_their_images():
    dataset = pairs()
    for index in range(3):
        inputs, labels = dataset.batch(2, index)
        np.testing.assert_array_equal(labels, indices(inputs))


def test_soft_labels_follow_their_images():
    soft = np.eye(24)[::-1].copy()
    inputs, labels = pairs(y=soft)[1]
    assert labels.shape == (8, 2, 24)
    assert labels.dtype == "float32"
    np.testing.assert_array_equal(labels, soft[indices(inputs)])


def test_labels_in_a_column_are_labels():
    column = np.arange(24, dtype="uint8")[:, None]
    assert same(pairs(y=column)[0], pairs()[0])


def test_one_member_gives_pairs_of_one():
    inputs, labels = pairs(masks=ConstantMasks(2, num_subnetworks=1))[0]
    assert inputs["images"].shape == (8, 1, 4, 6, 2)
    assert inputs["masks"].shape == (8, 1, 2, 3)
    assert np.all(inputs["masks"] == 1)
    np.testing.assert_array_equal(labels, indices(inputs))


@pytest.mark.parametrize(
    ("given", "served"),
    [
        ("uint8", "uint8"),
        ("uint16", "uint16"),
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float32"),
    ],
)
def test_unsigned_integers_stay_and_floats_become_float32(given, served):
    dataset = pairs(x=numbered(24, dtype=given))
    inputs, _ = dataset[0]
    assert inputs["images"].dtype == served
    np.testing.assert_array_equal(inputs["images"], pairs()[0][0]["images"])


def test_the_caller_keeps_his_arrays():
    x, y = numbered(24), np.arange(24)
    before = x.copy(), y.copy()
    inputs, labels = pairs(x=x, y=y)[0]
    inputs["images"][:] = -1
    labels[:] = -1
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_a_batch_does_not_depend_on_what_was_asked_before():
    fresh = pairs().batch(2, 1)
    used = pairs()
    for epoch in (1, 2, 0):
        for index in (2, 0, 1):
            used.batch(epoch, index)
    assert same(used.batch(2, 1), fresh)
    assert same(used.batch(2, 1), fresh)


def test_a_batch_does_not_depend_on_the_global_seed():
    keras.utils.set_random_seed(1)
    one = pairs()[0]
    keras.utils.set_random_seed(2)
    assert same(pairs()[0], one)


def test_seeds_epochs_and_batches_differ():
    batches = [
        pairs(seed=seed).batch(epoch, index)
        for seed in (0, 1)
        for epoch in (0, 1)
        for index in (0, 1)
    ]
    for i, one in enumerate(batches):
        assert not any(same(one, other) for other in batches[:i])
    # The permutations too, which do not depend on the images of the batch.
    orders = {tuple(np.argsort(indices(inputs), axis=0).flat) for inputs, _ in batches}
    assert len(orders) == len(batches)


def test_no_two_streams_of_chance_are_the_same(monkeypatch):
    states, make = [], np.random.default_rng

    def recorded(key):
        generator = make(key)
        states.append(str(generator.bit_generator.state))
        return generator

    monkeypatch.setattr(np.random, "default_rng", recorded)
    for seed in (0, 1, 2):
        dataset = pairs(seed=seed)
        for epoch in range(3):
            for index in range(3):
                dataset.batch(epoch, index)
    # One for the order of each epoch and one for each of its batches.
    assert len(states) == len(set(states)) == 3 * 3 * (1 + 3)


def test_indexing_gives_the_epoch_that_is_set():
    dataset = pairs()
    assert dataset.epoch == 0
    assert same(dataset[1], dataset.batch(0, 1))
    dataset.epoch = 2
    assert same(dataset[1], dataset.batch(2, 1))


def test_masks_are_drawn_for_the_batch_at_its_progress():
    sampler = Recorder()
    dataset = pairs(masks=sampler)
    for epoch in range(3):
        dataset.batch(epoch, 0)
    assert sampler.asked == [(8, (4, 6), progress) for progress in (1 / 3, 2 / 3, 1)]


def test_masks_become_single_source_in_the_last_epoch():
    dataset = pairs(masks=PatchCutMix(2, binarize=True), epochs=3)
    shares = dataset.batch(2, 0)[0]["masks"].mean(axis=(2, 3))
    assert set(shares.flat) == {0.0, 1.0}


def test_without_shuffling_batches_are_made_in_the_given_order():
    dataset = pairs(shuffle=False)
    for epoch in (0, 1):
        for index in range(3):
            found = np.sort(indices(dataset.batch(epoch, index)[0]), axis=0)
            expected = np.arange(8 * index, 8 * index + 8)
            np.testing.assert_array_equal(found[:, 0], expected)
            np.testing.assert_array_equal(found[:, 1], expected)
    assert not same(dataset.batch(0, 0), dataset.batch(1, 0))


@pytest.mark.parametrize(
    ("count", "drop_remainder", "length", "last"),
    [(21, True, 2, 8), (21, False, 3, 5), (24, True, 3, 8), (24, False, 3, 8)],
)
def test_the_remainder_is_dropped_or_a_smaller_batch(
    count, drop_remainder, length, last
):
    dataset = pairs(count=count, drop_remainder=drop_remainder)
    assert len(dataset) == length
    inputs, labels = dataset[length - 1]
    assert len(inputs["images"]) == len(inputs["masks"]) == len(labels) == last


def test_with_the_remainder_every_image_is_served():
    dataset = pairs(count=21, drop_remainder=False)
    found = np.concatenate([indices(dataset[i][0]) for i in range(3)])
    for member in range(2):
        np.testing.assert_array_equal(np.sort(found[:, member]), np.arange(21))


def test_a_batch_larger_than_the_data_is_a_remainder():
    dataset = pairs(count=5, drop_remainder=False)
    assert len(dataset) == 1
    assert dataset[0][1].shape == (5, 2)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_out_of_range_is_refused(index):
    with pytest.raises(IndexError, match=rf"`index` must be in 0 to 2\. Got {index}\."):
        pairs()[index]


@pytest.mark.parametrize("epoch", [-1, 3])
def test_an_epoch_out_of_range_is_refused(epoch):
    dataset = pairs()
    dataset.epoch = epoch
    text = rf"`epoch` must be in 0 to 2\. Received: epoch={epoch}"
    with pytest.raises(ValueError, match=text):
        dataset[0]


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="tf.data is TensorFlow's"
)
def test_tf_dataset_gives_the_same_batches_epoch_by_epoch():
    dataset = pairs(count=13, epochs=2, drop_remainder=False)
    data = dataset.as_tf_dataset()
    assert int(data.cardinality()) == len(dataset) == 2
    for epoch in range(2):
        batches = list(data.as_numpy_iterator())
        assert len(batches) == 2
        for index, batch in enumerate(batches):
            assert same(batch, dataset.batch(epoch, index))
        assert dataset.epoch == epoch
