import os

import numpy as np
import pytest

from keras_mixvit.data.sources import _tar_cache as tar_cache
from keras_mixvit.data.sources._shard_cache import cache_file, cache_folder
from keras_mixvit.data.sources._tar_cache import index_of
from tests.data.shards import sample, tar_of, write_shards

pytestmark = pytest.mark.one_backend


@pytest.fixture
def paths(tmp_path, monkeypatch):
    folder = write_shards(tmp_path / "set", images=4)
    return sorted(str(path) for path in folder.glob("*.tar"))


@pytest.fixture
def scans(caches, monkeypatch):
    """Which shards were read."""
    found = []
    whole = tar_cache.indexed

    def noted(path, *options):
        found.append(os.path.basename(path))
        return whole(path, *options)

    monkeypatch.setattr(tar_cache, "indexed", noted)
    return found


def same(one, other):
    assert one[0].words == other[0].words
    for a, b in zip((*one[0][:4], one[1]), (*other[0][:4], other[1]), strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def test_headers_are_read_once(paths, scans):
    first = index_of(paths)
    assert (len(scans), first[1].tolist()) == (3, [0, 4, 8])
    assert first[0].codes.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
    same(index_of(paths), first)
    assert len(scans) == 3
    # Other options may find other images.
    index_of(paths, image="png")
    assert len(scans) == 6


def test_words_of_all_shards_are_joined(paths, scans, tmp_path):
    more = tmp_path / "more.tar"
    more.write_bytes(tar_of(*sample("0", 0, "x"), *sample("1", 0, 2)))
    index, starts = index_of([str(more), paths[0]])
    assert index.words == ("x", "2", "0", "1")
    assert index.codes.tolist() == [0, 1, 2, 3, 1, 2]
    assert starts.tolist() == [0, 2]


@pytest.mark.parametrize("change", ["time", "size"])
def test_a_shard_that_changed_is_read_again(change, paths, scans):
    index_of(paths)
    if change == "time":
        os.utime(paths[1], (1, 1))
    else:
        with open(paths[1], "ab") as file:
            file.write(bytes(512))
        os.utime(paths[1], (1, 1))
    index_of(paths)
    assert len(scans) == 6


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:400],
        lambda content: content[:300] + b"????" + content[304:],
        lambda content: b"PK\x03\x04",
    ],
)
def test_a_damaged_cache_is_written_again(damage, paths, scans):
    first = index_of(paths)
    place = cache_file(paths, None, None)
    place.write_bytes(damage(place.read_bytes()))
    same(index_of(paths), first)
    same(index_of(paths), first)
    assert len(scans) == 6


@pytest.mark.parametrize("change", ["codes", "starts", "words", "places"])
def test_a_cache_that_does_not_fit_is_written_again(change, paths, scans):
    first = index_of(paths)
    place = cache_file(paths, None, None)
    with np.load(place) as file:
        arrays = dict(file)
    if change == "codes":
        arrays["codes"] = arrays["codes"] + 1
    else:
        arrays[change] = arrays[change][:-1]
    np.savez(place, **arrays)
    same(index_of(paths), first)
    assert len(scans) == 6


def test_a_folder_that_cannot_be_written_costs_only_time(paths, scans, caches):
    caches.write_text("no folder")
    same(index_of(paths), index_of(paths))
    assert len(scans) == 6


def test_the_folder_is_that_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "keras_mixvit" / "shards"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "keras_mixvit" / "shards"
