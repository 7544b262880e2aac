"""What is made once for all processes that run the tests."""

import json
import os
import shutil

try:
    import fcntl
except ImportError:  # Windows: each process makes its own.
    fcntl = None


def made_once(tmp_path_factory, name, make):
    """A folder and what `make(folder)` returned, in whichever process came first.

    Args:
        tmp_path_factory: The fixture of pytest.
        name: String, the name of the folder.
        make: Function of the path of an empty folder. What it returns, JSON can hold.
    """
    base = tmp_path_factory.getbasetemp()
    if fcntl is not None and "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, result = base / name, base / f"{name}.json"
    with (base / f"{name}.lock").open("a") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            result.write_text(json.dumps(make(folder)))
    return folder, json.loads(result.read_text())
