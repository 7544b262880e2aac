import pickle

import numpy as np

# What a pickled array names, under NumPy 1, 2 and 0.x of Python 2.
_RECONSTRUCT = np.zeros(0).__reduce__()[0]
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of numbers, strings, lists, dicts and arrays only.

    A pickle may name any function for the reader to call. This reader refuses
    all names except those that a NumPy array needs.

    Args:
        file: File object, opened to read bytes.
    """

    def __init__(self, file):
        # Strings of Python 2 are bytes.
        super().__init__(file, encoding="bytes")

    def find_class(self, module, name):
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of an array")
        return _ALLOWED[module, name]

    def persistent_load(self, pid):
        raise pickle.UnpicklingError("it refers to an object outside of the file")
