import subprocess
import sys

import pytest

from keras_mixvit.training._study_lock import fcntl, is_locked, locked


def enter(folder):
    with locked(folder):
        pass


@pytest.mark.skipif(fcntl is None, reason="the system has no such locks")
def test_one_study_at_a_time_is_in_a_folder(tmp_path):
    folder = tmp_path / "new"
    with locked(folder):
        with pytest.raises(ValueError, match="`runs` must not be in use: ") as refusal:
            enter(folder)
        assert f"Received: runs={str(folder)!r}" in str(refusal.value)
        assert is_locked(folder)
    assert not is_locked(folder)
    enter(folder)


@pytest.mark.skipif(fcntl is None, reason="the system has no such locks")
def test_a_process_that_outlives_the_study_keeps_others_out(tmp_path):
    with locked(tmp_path) as kept:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", "input()"],
            stdin=subprocess.PIPE,
            pass_fds=kept,
        )
    with pytest.raises(ValueError, match="`runs` must not be in use"):
        enter(tmp_path)
    process.communicate(b"\n")
    enter(tmp_path)
