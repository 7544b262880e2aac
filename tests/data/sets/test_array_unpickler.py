import io
import pickle

import numpy as np
import pytest

from keras_mixvit.data.sets._array_unpickler import ArrayUnpickler
from tests.data.files import noise


def load(content):
    return ArrayUnpickler(io.BytesIO(content)).load()


class Called:
    """Calls a function where it is unpickled."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_and_plain_values_are_read(protocol):
    content = {
        b"data": noise(4, 5),
        b"labels": [1, 2],
        b"name": b"a",
        b"x": (1.5, None),
    }
    found = load(pickle.dumps(content, protocol))
    np.testing.assert_array_equal(found.pop(b"data"), content.pop(b"data"))
    assert found == content


@pytest.mark.parametrize("function", [open, eval, exec, np.fromfile, pickle.loads])
def test_functions_are_refused_and_never_called(function, tmp_path):
    trace = tmp_path / "trace"
    arguments = (str(trace), "w") if function is open else (b"1",)
    content = pickle.dumps({b"data": Called(function, *arguments)}, 3)
    text = rf"\w\.{function.__name__} is not part of an array"
    with pytest.raises(pickle.UnpicklingError, match=text):
        load(content)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["os\nsystem", "numpy\nload", "builtins\ngetattr"])
def test_names_are_refused_in_every_protocol(name):
    module, function = name.split("\n")
    stacked = pickle.dumps(module, 4)[2:-1] + pickle.dumps(function, 4)[2:-1]
    for content in (f"c{name}\n.".encode(), b"\x80\x04" + stacked + b"\x93."):
        with pytest.raises(pickle.UnpicklingError, match=r"is not part of an array"):
            load(content)


def test_objects_outside_of_the_file_are_refused():
    with pytest.raises(pickle.UnpicklingError, match="outside of the file"):
        load(b"Pelsewhere\n.")
