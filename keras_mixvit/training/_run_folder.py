import os
from pathlib import Path

from keras_mixvit._paths import require_new_folder


def new_run_folder(output: str | None, name: str) -> Path:
    """Makes the folder of a new run.

    Args:
        output: Path of the folder, or `None` for `runs/NAME`, with a number if it
            exists.
        name: String, the name of the default folder.

    Returns:
        The path of an empty, writable folder.

    Raises:
        ValueError: If the folder is not empty or not writable.
    """
    if output is None:
        folder, number = Path("runs") / name, 1
        while folder.exists():
            number += 1
            folder = Path("runs") / f"{name}-{number}"
    else:
        folder = require_new_folder("output", output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ValueError(
            "`output` must be a writable folder. Received: "
            f"output={str(folder)!r} ({os.strerror(error.errno or 0)})"
        ) from error
    return folder
