import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit import load, mixed_pair_dataset
from keras_mixvit.data import _shard_order as module
from keras_mixvit.data._shard_order import shard_order
from keras_mixvit.masks import PatchCutMix
from tests.data.shards import write_shards
from tests.properties import holds

pytestmark = pytest.mark.one_backend


@pytest.fixture
def small(monkeypatch):
    """Windows of at least two shards and four images."""
    monkeypatch.setattr(module, "SHARDS", 2)
    monkeypatch.setattr(module, "IMAGES", 4)


@holds(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=50),
    shards=st.integers(1, 10),
    images=st.integers(1, 100),
    seed=st.integers(0, 2**32),
)
def test_every_image_comes_once_and_windows_are_of_whole_shards(
    sizes, shards, images, seed
):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(module, "SHARDS", shards)
        monkeypatch.setattr(module, "IMAGES", images)
        starts = np.cumsum([0, *sizes[:-1]])
        order = shard_order(np.random.default_rng(seed), starts, sum(sizes))
    assert sorted(order) == list(range(sum(sizes)))
    shard = np.searchsorted(starts, order, side="right") - 1
    windows = max(1, min(len(sizes) // shards, sum(sizes) // images))
    # A shard is in one window: only its images are between its first and last one.
    spans = {s: np.flatnonzero(shard == s)[[0, -1]] for s in range(len(sizes))}
    borders = [
        place
        for place in range(1, len(order))
        if all(not first < place <= last for first, last in spans.values())
    ]
    assert len(borders) >= windows - 1


def test_few_images_are_mixed_as_a_whole():
    starts = np.arange(0, 9_000, 100)
    order = shard_order(np.random.default_rng(0), starts, 9_000)
    # The mean shard of the first tenth is near the middle.
    assert abs((order[:900] // 100).mean() - 44.5) < 4
    assert len(np.unique(order[:900] // 100)) == 90


def test_a_window_holds_sixteen_shards():
    starts = np.arange(0, 64_000, 1000)
    order = shard_order(np.random.default_rng(0), starts, 64_000) // 1000
    windows = [set(order[i : i + 16_000].tolist()) for i in range(0, 64_000, 16_000)]
    assert list(map(len, windows)) == [16] * 4
    assert len(set().union(*windows)) == 64
    # Within it, batches hold images of all its shards.
    assert len(np.unique(order[:256])) == 16


def pairs_of(folder, **options):
    found = load(f"wds:{folder}")
    options = {"epochs": 2, "batch_size": 6, "seed": 3, **options}
    return mixed_pair_dataset(found.images, found.labels, PatchCutMix(4), **options)


@pytest.mark.usefixtures("small", "caches")
def test_batches_read_few_shards_and_depend_on_seed_and_epoch(tmp_path):
    folder = write_shards(tmp_path / "set", shards=6)
    pairs, again, other = (pairs_of(folder, seed=seed) for seed in (3, 3, 4))
    orders = [pairs._epoch_order(epoch).tolist() for epoch in (0, 1)]
    assert orders[0] != orders[1]
    assert orders == [again._epoch_order(epoch).tolist() for epoch in (0, 1)]
    assert orders[0] != other._epoch_order(0).tolist()
    for order in orders:
        assert sorted(order) == list(range(36))
        for first in range(0, 36, 12):
            assert len({i // 6 for i in order[first : first + 12]}) == 2
    # A batch in the middle, as after a resume, and the parts of two processes.
    whole = pairs.batch(1, 4)
    for one, two in zip(whole[0].values(), again.batch(1, 4)[0].values(), strict=True):
        np.testing.assert_array_equal(one, two)
    parts = [pairs_of(folder).shard(i, 2).batch(1, 4)[0]["images"] for i in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(parts), whole[0]["images"])


@pytest.mark.usefixtures("small", "caches")
def test_shards_that_are_sorted_by_class_are_mixed_as_a_whole(tmp_path):
    from tests.data.shards import sample, tar_of

    for k in range(6):
        members = [m for i in range(6) for m in sample(f"{k}-{i}", i, k)]
        (tmp_path / f"train-{k}.tar").write_bytes(tar_of(*members))
    pairs = pairs_of(tmp_path)
    assert pairs.x.shards is None
    order = pairs._epoch_order(0)
    assert len({int(i) // 6 for i in order[:12]}) > 2


@pytest.mark.usefixtures("small", "caches")
def test_a_share_of_the_images_keeps_their_shards(tmp_path):
    folder = write_shards(tmp_path / "set", shards=6)
    train = load(f"wds:{folder}", val_share=1 / 6)
    val = load(f"wds:{folder}", "val", val_share=1 / 6)
    for part in (train, val):
        chosen = part.images.chosen
        starts = part.images.shards
        assert starts[0] == 0
        shard = np.searchsorted(starts, np.arange(len(chosen)), side="right") - 1
        held = np.unique(chosen // 6, return_inverse=True)[1]
        np.testing.assert_array_equal(shard, held)
    whole = load(f"wds:{folder}").images
    np.testing.assert_array_equal(
        train.images[[0, 5]], whole[train.images.chosen[[0, 5]]]
    )
