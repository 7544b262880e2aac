import errno
import json
import sys

import keras
import numpy as np
import pytest

from keras_mixvit import load_model
from keras_mixvit.backbones import ConViT
from keras_mixvit.models import SingleNetwork
from keras_mixvit.training._atomic_files import save_model, write_json
from keras_mixvit.training._checkpoint import (
    Checkpoint,
    Checkpoints,
    arrays_of,
    restore,
)
from keras_mixvit.training._epoch_seeds import EpochSeeds, seed_states
from keras_mixvit.training._recorder import Recorder
from tests.helpers import numpy

RECORDER = sys.modules["keras_mixvit.training._recorder"]


def checkpoint(epochs):
    return Checkpoint(epochs, {"v0": np.full(300, epochs, "float32")}, {"seconds": 1.5})


@pytest.fixture
def three(tmp_path):
    """The checkpoints of a training of three epochs."""
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    for epochs in (1, 2, 3):
        checkpoints.save(checkpoint(epochs))
    return checkpoints


def files(checkpoints):
    return sorted(checkpoints.folder.iterdir())


def test_the_last_two_checkpoints_are_kept_and_the_last_is_used(three):
    assert [path.name[:11] for path in files(three)] == ["epoch-00002", "epoch-00003"]
    found, remarks = three.latest()
    assert (found.epochs, found.progress, remarks) == (3, {"seconds": 1.5}, [])
    np.testing.assert_array_equal(found.arrays["v0"], np.full(300, 3, "float32"))


def cut(content):
    return content[: len(content) // 2]


def flip(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flip, lambda content: b""])
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_is_used(damage, three):
    last = files(three)[-1]
    last.write_bytes(damage(last.read_bytes()))
    found, remarks = three.latest()
    assert found.epochs == 2
    assert remarks == [
        f"The checkpoint {last} is damaged and is skipped for the previous one; "
        "without one, the training starts again."
    ]
    files(three)[0].write_bytes(b"")
    found, remarks = three.latest()
    assert found is None
    assert len(remarks) == 2


def test_a_file_that_was_never_finished_is_no_checkpoint(three):
    (three.folder / "partial-epoch.npz").write_bytes(b"half")
    (three.folder / "epoch.npz").write_bytes(b"half")
    assert three.latest()[0].epochs == 3
    three.remove()
    assert not three.folder.exists()
    assert three.latest() == (None, [])


def full_disk(file, *args, **kwargs):
    file.write(b"half a file")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_sentence_and_costs_no_checkpoint(three, monkeypatch):
    before = {path: path.read_bytes() for path in files(three)}
    monkeypatch.setattr(np, "savez", full_disk)
    text = r"epoch\.npz could not be written \(No space left on device\); the file "
    with pytest.raises(OSError, match=text + r"saved before is kept\.$"):
        three.save(checkpoint(4))
    assert {path: path.read_bytes() for path in files(three)} == before


def network():
    backbone = ConViT(
        (4, 4, 1), 2, 8, 2, 1, 1, dropout_rate=0.2, stochastic_depth_rate=0.4
    )
    return SingleNetwork(backbone, num_classes=3)


def compiled(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-3), loss)
    model.optimizer.build(model.trainable_variables)
    return model


def test_a_failure_while_saving_leaves_the_model_of_before(tmp_path, monkeypatch):
    model, path = network(), tmp_path / "model.keras"
    save_model(model, path)
    before = path.read_bytes()

    def fail(self, path):
        path.write_bytes(b"half a file")
        raise OSError("No space left on device")

    monkeypatch.setattr(SingleNetwork, "save", fail)
    with pytest.raises(OSError, match=r"model\.keras could not be written \(No space"):
        save_model(model, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"nll": float("nan")})
    assert path.read_bytes() == before


def test_a_checkpoint_holds_the_optimizer_and_no_seeds():
    model, other = compiled(network()), compiled(network())
    arrays = arrays_of(model)
    trainable = len(model.trainable_variables)
    # Two moments each, and the number of steps with the learning rate.
    assert len(arrays) == 3 * trainable + 2
    arrays = {name: array + 1 for name, array in arrays.items()}
    restore(other, arrays)
    assert int(other.optimizer.iterations) == 1
    for name, array in arrays_of(other).items():
        np.testing.assert_array_equal(array, arrays[name])


def test_a_checkpoint_of_another_model_is_refused():
    model = compiled(network())
    arrays = arrays_of(model)
    first = {**arrays, "v0": np.zeros(3)}
    count = len(arrays)
    fewer = dict(list(arrays.items())[:-1])
    for wrong, found in (
        (first, rf"found='shape \(3,\) of variable 1 of {count}'"),
        (fewer, f"found='shape None of variable {count} of {count - 1}'"),
        ({}, "found='shape None of variable 1 of 0'"),
    ):
        text = f"checkpoints belong to another model.*{found}"
        with pytest.raises(ValueError, match=text):
            restore(model, wrong)


def test_seeds_are_a_function_of_seed_and_epoch():
    model = network()
    states = seed_states(model)
    assert len(states) > 2

    def drawn(seed, epoch):
        seeds = EpochSeeds(seed)
        seeds.set_model(model)
        seeds.on_epoch_begin(epoch)
        return np.stack([numpy(state) for state in states])

    first = drawn(1, 2)
    assert (first[:, 1] == 0).all()
    assert len(np.unique(first[:, 0])) == len(states)
    np.testing.assert_array_equal(drawn(1, 2), first)
    for other in (drawn(1, 3), drawn(2, 2)):
        assert (other[:, 0] != first[:, 0]).all()


def record(recorder, accuracies):
    for accuracy in accuracies:
        logs = {"loss": 0.5, "val_accuracy": accuracy}
        recorder.on_epoch_end(len(recorder.history), logs)


def test_best_is_the_first_epoch_of_the_highest_validation_accuracy(
    tmp_path, monkeypatch
):
    # It saves after every epoch, however short.
    monkeypatch.setattr(RECORDER, "SAVING", 1.0)
    model = compiled(network())
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    recorder = Recorder(tmp_path, checkpoints)
    recorder.set_model(model)
    recorder.begin(model)
    assert load_model(tmp_path / "model.keras").num_classes == 3
    assert not (tmp_path / "history.csv").exists()
    record(recorder, [0.5, 0.75])
    best = (tmp_path / "best.keras").read_bytes()
    record(recorder, [0.75])
    assert (tmp_path / "best.keras").read_bytes() == best
    assert recorder.best == {"epoch": 1, "val_accuracy": 0.75}
    # A resumed one takes its place, and drops what was written after it.
    start, _ = checkpoints.latest()
    (tmp_path / "history.csv").write_text("torn")
    again = Recorder(tmp_path, checkpoints, start)
    again.set_model(model)
    again.begin(model)
    assert again.best == recorder.best
    assert again.seconds == pytest.approx(recorder.seconds)
    record(again, [0.25])
    lines = (tmp_path / "history.csv").read_text().split()
    assert lines == ["epoch,loss,val_accuracy"] + [
        f"{epoch},0.5,{accuracy}"
        for epoch, accuracy in enumerate((0.5, 0.75, 0.75, 0.25))
    ]
    assert json.dumps(again.best) == json.dumps(recorder.best)


def test_watched_images_that_may_not_choose_leave_no_best_model(tmp_path):
    model = compiled(network())
    recorder = Recorder(tmp_path, Checkpoints(tmp_path / "checkpoints"), chooses=False)
    recorder.set_model(model)
    recorder.begin(model)
    record(recorder, [0.5, 0.75, 0.25])
    assert recorder.best is None
    assert not (tmp_path / "best.keras").exists()
    assert load_model(tmp_path / "model.keras").num_classes == 3
