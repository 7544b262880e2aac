import threading

from keras_mixvit.data.sources._read_ahead import ReadAhead
from tests.helpers import reading_threads


class Blocked:
    """Batches that are their key; that of key 2 waits until it is released."""

    def __init__(self):
        self.started, self.released = threading.Event(), threading.Event()
        self.ended = False

    def read(self, key):
        if key == 2:
            self.started.set()
            self.released.wait(30)
            self.ended = True
        return key


def test_closing_waits_for_threads_that_were_stopped_before():
    blocked = Blocked()
    ahead = ReadAhead(blocked.read, workers=2)
    assert [ahead.get((0,), [(1,)]), ahead.get((1,), [(2,)])] == [0, 1]
    assert blocked.started.wait(30)
    # After a last batch the threads stop, and nobody waits for the dropped one.
    assert ahead.get((9,), []) == 9
    assert not blocked.ended
    threading.Timer(0.2, blocked.released.set).start()
    ahead.close()
    assert blocked.ended
    assert not reading_threads()
    # It can be used again, and closing twice does nothing.
    assert [ahead.get((0,), [(1,)]), ahead.get((1,), [])] == [0, 1]
    ahead.close()
    ahead.close()
    assert not reading_threads()


def test_as_many_batches_are_prepared_as_one_call_takes():
    ahead = ReadAhead(Blocked().read, workers=1)
    assert ahead.depth == 2
    ahead.batches_per_call = 32
    assert ahead.depth == 32
    alone = ReadAhead(Blocked().read, workers=0)
    alone.batches_per_call = 32
    assert alone.depth == 0
