import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keras_mixvit
from keras_mixvit._start import installed_backends

PACKAGE = Path(keras_mixvit.__file__).parent
BACKEND = keras.config.backend()

# As if the packages were not installed: they are nowhere to be found.
HIDE = """
import sys
from importlib.machinery import PathFinder

class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.split(".")[0] in HIDDEN:
            return None
        return super().find_spec(name, path, target)

sys.meta_path = [Hiding if f is PathFinder else f for f in sys.meta_path]
"""

ADDED = """
import sys
import keras
before = set(sys.modules)
import keras_mixvit
added = {name.split(".")[0] for name in set(sys.modules) - before}
print(" ".join(sorted(added - set(sys.stdlib_module_names))))
print("tensorflow" in sys.modules)
"""

TRAIN = """
import numpy as np
import keras
from keras_mixvit import ConViT, MixViT, load_model, mixed_pair_dataset
from keras_mixvit.metrics import NLL, SubnetworkAccuracy

x = np.random.default_rng(0).random((8, 8, 8, 1)).astype("float32")
y = np.arange(8) % 3
model = MixViT(ConViT((8, 8, 1), 4, 8, 2, 1, 1), num_classes=3)
model.compile(
    keras.optimizers.AdamW(1e-3),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[SubnetworkAccuracy()],
    weighted_metrics=["accuracy", NLL()],
)
pairs = mixed_pair_dataset(x, y, model.mask_sampler(), epochs=1, batch_size=8)
history = model.fit(pairs, validation_data=(x, y), verbose=0).history
assert set(history) >= {"loss", "val_loss", "val_nll", "val_subnetwork_accuracy"}
model.save("model.keras")
again = load_model("model.keras")
np.testing.assert_allclose(
    again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6
)
scores = again.evaluate(x, y, verbose=0, return_dict=True)
assert abs(scores["nll"] - history["val_nll"][0]) < 1e-5
assert "tensorflow" not in sys.modules
print("done")
"""


def run(code, folder=None, **environment):
    """Output of a Python program of its own."""
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def hiding(*names):
    return f"HIDDEN = {names!r}{HIDE}"


def test_import_adds_nothing_to_what_keras_imports():
    result = run(ADDED)
    added, has_tensorflow = result.stdout.splitlines()
    assert added.split() == ["keras_mixvit"], result.stderr
    assert has_tensorflow == str(BACKEND == "tensorflow")


@pytest.mark.skipif(BACKEND == "tensorflow", reason="this backend is TensorFlow")
def test_the_whole_path_works_without_tensorflow(tmp_path):
    result = run(hiding("tensorflow") + TRAIN, tmp_path)
    assert result.stdout.strip() == "done", result.stderr


def test_a_missing_backend_is_told_with_the_variable_that_names_it():
    code = hiding("tensorflow") + "import keras_mixvit"
    result = run(code, KERAS_BACKEND="tensorflow")
    last = result.stderr.strip().splitlines()[-1]
    assert result.returncode == 1
    assert last.startswith("ModuleNotFoundError: Keras could not import its backend: ")
    assert "No module named 'tensorflow'" in last
    others = [name for name in installed_backends() if name != "tensorflow"]
    assert "KERAS_BACKEND" in last
    assert last.endswith(f"installed: {', '.join(others) or 'none is'}.")


def test_large_parts_are_loaded_on_first_use():
    code = """
import sys
import keras_mixvit
parts = ("analysis", "costs", "recipes", "training")
assert not any(f"keras_mixvit.{part}" in sys.modules for part in parts)
assert set(parts) <= set(dir(keras_mixvit))
print(keras_mixvit.costs.flops.__name__, keras_mixvit.recipes.Recipe().method.name)
try:
    keras_mixvit.cost
except AttributeError as error:
    print(error)
"""
    found = run(code).stdout.splitlines()
    assert found[-2] == "flops mixvit"
    assert found[-1] == "module 'keras_mixvit' has no attribute 'cost'"
