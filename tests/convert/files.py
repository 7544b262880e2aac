"""Files of weights for the tests: folders and caches as of the hub, damage."""

import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER_COMMIT = "f" * 40
NAME = "cait_xxs24_224.fb_dist_in1k"
PRETRAINED_CFG = {
    "input_size": [3, 32, 32],
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
}
CONFIG = {
    "architecture": "cait_xxs24_224",
    "num_classes": 7,
    "pretrained_cfg": PRETRAINED_CFG,
}


class RunsCode:
    """What is left in a pickle of it is a call that writes a file."""

    def __init__(self, path):
        self.path = Path(path)

    def __reduce__(self):
        return Path.write_text, (self.path, "code was run")


def pickled(item, path):
    # The protocol that PyTorch writes; it warns of others.
    path.write_bytes(pickle.dumps(item, protocol=2))


def cut(path, share=0.5):
    """Takes the end of a file away, as an interrupted download does."""
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def save_model(folder, weights, config=CONFIG):
    """A folder with the two files that `fetch` looks for."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def save_cached(
    cache, weights, config=CONFIG, repository=f"timm/{NAME}", commit=COMMIT, ref="main"
):
    """The same two files in the layout of the cache of the hub's client.

    Weights lie under their SHA-256 sum there, small files under a sum of git.
    """
    root = cache / f"models--{repository.replace('/', '--')}"
    source = save_model(cache / "source", weights, config)
    names = {"config.json": hashlib.sha1, "model.safetensors": hashlib.sha256}
    for part in ("blobs", "refs", f"snapshots/{commit}"):
        (root / part).mkdir(parents=True, exist_ok=True)
    (root / "refs" / ref).write_text(commit, encoding="utf-8")
    for name, digest in names.items():
        content = (source / name).read_bytes()
        blob = root / "blobs" / digest(content).hexdigest()
        blob.write_bytes(content)
        (root / "snapshots" / commit / name).symlink_to(f"../../blobs/{blob.name}")
    return root


def cubic_resized(table, shape):
    """A table `(h, w, d)` on another grid: antialiased bicubic, in float64."""
    rows = cubic_weights(table.shape[0], shape[0])
    columns = cubic_weights(table.shape[1], shape[1])
    return np.einsum("ih,jw,hwd->ijd", rows, columns, table.astype("float64"))


def cubic_weights(old, new):
    """Shares of `old` places in each of `new`, by Keys' kernel of a = -1/2.

    Where the grid gets coarser the kernel is as much wider.
    """
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale - 0.5
    x = np.abs(np.arange(old) - centres[:, None]) / max(scale, 1.0)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = np.where(x <= 1, near, np.where(x < 2, far, 0.0))
    return weights / weights.sum(axis=1, keepdims=True)
