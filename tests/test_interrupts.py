import os
import signal
import threading

import pytest

from keras_mixvit._interrupts import interrupted_later


@pytest.fixture(autouse=True)
def _hears_ctrl_c():
    # A process that a shell starts in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_waits_and_a_second_one_does_not(times):
    before = signal.getsignal(signal.SIGINT)
    done = []

    def interrupted():
        with interrupted_later():
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == (["all of it"] if times == 1 else [])
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_wait_for_nothing():
    found = []

    def run():
        with interrupted_later():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]
