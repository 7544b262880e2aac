import sys

from keras_mixvit.training._progress import ProgressBar


def test_one_bar_covers_all_epochs_that_are_left():
    bar = ProgressBar("mixvit", epochs=5, finished=3)
    # A training that fails early has no bar to stop.
    bar.stop()
    bar.set_params({"steps": 4})
    bar.on_train_begin()
    (task,) = bar.bar.tasks
    assert (task.description, task.total, task.completed) == ("mixvit", 2 * 4, 0)
    for epoch in (3, 4):
        bar.on_epoch_begin(epoch)
        assert task.fields["epoch"] == epoch + 1
        for batch in range(4):
            bar.on_train_batch_end(batch)
        bar.on_epoch_end(epoch, {"loss": 0.5, "val_accuracy": 0.25, "lr": 1.0})
        assert task.fields["figures"] == "loss 0.5000 val_accuracy 0.2500"
    assert task.completed == task.total
    bar.on_train_end()
    assert not bar.bar.live.is_started


def test_output_that_is_no_terminal_gets_no_bar(monkeypatch):
    from keras_mixvit.training import _progress as progress

    assert not progress.is_terminal()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert progress.is_terminal()
