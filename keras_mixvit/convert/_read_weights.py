import os
import re
from pathlib import Path

import numpy as np

from keras_mixvit._checks import require, require_path

# Checkpoints of a training store the weights under these keys.
NESTED = re.compile(r"model|state_dict|.+(?<!_optimizer)_state_dict")


def read_weights(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads named arrays from a `.safetensors`, `.pth` or `.npz` file.

    It never runs code from a file: it reads a `.pth` with `weights_only=True`, and an
    `.npz` without pickle. In a `.pth`, the weights may be under `model`, under
    `state_dict`, or under the only name that ends in `_state_dict` and is not an
    optimizer's. It removes the prefix `module.`, which distributed training adds to all
    names.

    Args:
        path: Path of the file. `.safetensors` needs the package safetensors; `.pth`,
            `.pt`, `.bin` and `.ckpt` need PyTorch, on any backend.

    Returns:
        Dict from names to arrays.

    Raises:
        ValueError: If the file is missing, damaged or of another kind, or does not hold
            only arrays.
        ModuleNotFoundError: If the package that reads the file is missing.

    Example:

    ```python
    np.savez("weights.npz", **{"head.bias": np.zeros(10, "float32")})
    assert read_weights("weights.npz")["head.bias"].shape == (10,)
    ```
    """
    require_path("path", path)
    path = Path(path)
    require(path.is_file(), "`path` must be an existing file.", path=str(path))
    require(
        path.suffix in READERS,
        f"`path` must end in one of {', '.join(READERS)}.",
        path=str(path),
    )
    try:
        weights = READERS[path.suffix](path)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Reading a {path.suffix} file needs the package {error.name}: pip install "
            f"{error.name}."
        ) from error
    # Each reader raises its own errors for damaged files.
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"`path` must be an intact {path.suffix} file of weights only. Received: "
            f"path={str(path)!r} ({reason})"
        ) from error
    if weights and all(name.startswith("module.") for name in weights):
        weights = {name.removeprefix("module."): a for name, a in weights.items()}
    return weights


def _read_safetensors(path):
    from safetensors.numpy import load_file

    return load_file(path)


def _read_pth(path):
    import torch

    found = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(found, dict):
        named = [
            name
            for name, value in found.items()
            if isinstance(value, dict) and NESTED.fullmatch(str(name))
        ]
        found = found[named[0]] if len(named) == 1 else found
    is_state = isinstance(found, dict) and all(
        isinstance(value, torch.Tensor) for value in found.values()
    )
    if not is_state:
        raise TypeError("it does not hold only named tensors")
    # NumPy has no bfloat16.
    return {
        name: (value.float() if value.is_floating_point() else value).detach().numpy()
        for name, value in found.items()
    }


def _read_npz(path):
    # If NumPy opens a damaged file itself, it does not close it.
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


READERS = {
    ".safetensors": _read_safetensors,
    ".pth": _read_pth,
    ".pt": _read_pth,
    ".bin": _read_pth,
    ".ckpt": _read_pth,
    ".npz": _read_npz,
}
