"""How work is cut into calls to the device."""

import re
from types import SimpleNamespace

import keras
import pytest

from keras_mixvit.recipes import Recipe
from keras_mixvit.training import train
from keras_mixvit.training._calls import even_batch_size, steps_of_a_call
from keras_mixvit.training._recorder import Recorder

BACKEND = keras.config.backend()


@pytest.mark.parametrize(
    ("images", "size", "expected"),
    [(10_000, 129, 125), (12, 129, 129), (97, 10, 10), (100, 30, 25), (5, 1, 1)],
)
def test_validation_has_equal_batches_where_it_can(images, size, expected):
    assert even_batch_size(images, size) == expected


def pairs_of(steps, batch_size=129, side=32, keeps_on_device=True):
    """What a number of steps depends on."""

    class Pairs(SimpleNamespace):
        def __len__(self):
            return steps

    return Pairs(
        batch_size=batch_size,
        masks_shape=(2, 8, 8),
        image_shape=(side, side, 3),
        keeps_on_device=keeps_on_device,
    )


def test_calls_are_of_one_step_on_a_processor():
    assert steps_of_a_call(pairs_of(1162)) == 1


@pytest.mark.skipif(BACKEND != "jax", reason="is about JAX")
@pytest.mark.parametrize(("steps", "expected"), [(1162, 83), (390, 78), (101, 1)])
def test_calls_to_an_accelerator_divide_an_epoch(steps, expected, monkeypatch):
    import jax

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert steps_of_a_call(pairs_of(steps)) == expected
    # 1.2 GB of floats in one batch.
    assert steps_of_a_call(pairs_of(steps, 1050, 224, keeps_on_device=False)) == 1


@pytest.mark.parametrize("steps", [0, 2.5, True])
def test_a_number_of_steps_must_be_positive(steps):
    message = "`steps_per_execution` must be an integer of at least 1. Received: "
    with pytest.raises(ValueError, match=re.escape(message)):
        train(Recipe(), steps_per_execution=steps)


@pytest.mark.skipif(BACKEND != "torch", reason="is about PyTorch")
def test_pytorch_runs_one_step():
    message = "`steps_per_execution` must be 1 or None on PyTorch"
    with pytest.raises(ValueError, match=re.escape(message)):
        train(Recipe(), steps_per_execution=2)


@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_slow_saving_is_done_rarely_and_at_the_end(unit, tmp_path, monkeypatch):
    from keras_mixvit.training import _recorder as module

    clock, saved = SimpleNamespace(now=0.0), []

    def save(checkpoint):
        clock.now += 3 * unit
        saved.append(checkpoint.epochs)

    monkeypatch.setattr(module.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(module, "save_model", lambda model, path: None)
    monkeypatch.setattr(module, "arrays_of", lambda model: {})
    recorder = Recorder(tmp_path, SimpleNamespace(save=save), chooses=False)
    optimizer = SimpleNamespace(use_ema=False)
    recorder.set_model(SimpleNamespace(optimizer=optimizer))
    recorder.begin(None)
    for epoch in range(20):
        clock.now += 10 * unit
        recorder.on_epoch_end(epoch, {"loss": 1.0, "val_accuracy": 0.5})
    recorder.on_train_end()
    # Nine times the time of saving lies between two of them.
    assert saved == [1, 4, 7, 10, 13, 16, 19, 20]
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 21
    recorder.on_train_end()
    assert saved[-2:] == [19, 20]


def test_a_training_that_diverges_ends_and_overwrites_nothing(tmp_path, monkeypatch):
    from keras_mixvit.training import _recorder as module

    saved = []
    monkeypatch.setattr(module, "save_model", lambda model, path: saved.append(path))
    monkeypatch.setattr(module, "arrays_of", lambda model: {})
    checkpoints = SimpleNamespace(save=lambda checkpoint: saved.append(checkpoint))
    recorder = Recorder(tmp_path, checkpoints)
    recorder.begin(None)
    recorder.on_epoch_end(0, {"loss": 1.0, "val_accuracy": 0.5})
    before = len(saved)
    message = "`loss` must stay finite: the training diverged in epoch 2. Use a smaller"
    with pytest.raises(ValueError, match=re.escape(message)):
        recorder.on_epoch_end(1, {"loss": float("nan"), "val_accuracy": 0.9})
    ruined = {"loss": 1.0, "val_loss": float("inf"), "val_accuracy": 0.9}
    with pytest.raises(ValueError, match="`val_loss` must stay finite: the training"):
        recorder.on_epoch_end(1, ruined)
    assert len(saved) == before
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 2
