import ast
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

ALLOWED = {
    "layers": {"layers", "masks"},
    "masks": {"masks"},
    "backbones": {"backbones", "layers", "masks"},
    "convert": {"convert", "backbones", "layers"},
    "augmentation": {"augmentation"},
    "data": {"data", "augmentation", "masks"},
    "metrics": {"metrics"},
    "costs": {"costs", "backbones", "layers", "models"},
    "analysis": {"analysis", "layers", "masks", "metrics"},
    "distribution": {"distribution", "data"},
    "evaluation": {"evaluation", "data", "distribution", "metrics", "models"},
    "models": {
        "models",
        "layers",
        "backbones",
        "convert",
        "masks",
        "data",
        "distribution",
    },
    "schedules": {"schedules"},
    "recipes": {
        "recipes",
        "augmentation",
        "backbones",
        "data",
        "distribution",
        "layers",
        "masks",
        "metrics",
        "models",
        "schedules",
    },
    "training": {
        "training",
        "analysis",
        "data",
        "distribution",
        "evaluation",
        "metrics",
        "models",
        "recipes",
    },
    "cli": {"cli", "data", "distribution", "evaluation", "recipes", "training"},
}
# Folders of a part that know less of it than the part itself.
ALLOWED_WITHIN = {
    ("data", "sources"): {"sources"},
    ("data", "sets"): {"sets", "sources"},
}


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


def imported_modules(path):
    """Modules of the library that a file imports from, as lists of names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            names = [node.module]
            if node.module == "keras_mixvit":
                names = [f"keras_mixvit.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.split(".")[0] == "keras_mixvit":
                yield name.split(".")


def imported_parts(path):
    """The same, of each the name that follows the package's."""
    for names in imported_modules(path):
        yield [*names, ""][1]


@pytest.mark.parametrize("part", sorted(ALLOWED))
def test_parts_import_in_one_direction(part):
    for path in sorted((PACKAGE / part).rglob("*.py")):
        parts = {name for name in imported_parts(path) if not name.startswith("_")}
        assert parts <= ALLOWED[part], path.name


@pytest.mark.parametrize(("part", "folder"), sorted(ALLOWED_WITHIN))
def test_folders_of_a_part_import_in_one_direction(part, folder):
    for path in sorted((PACKAGE / part / folder).rglob("*.py")):
        for names in imported_modules(path):
            if names[1:2] == [part]:
                within = [*names, ""][2]
                assert within in ALLOWED_WITHIN[part, folder], path.name


def test_the_list_of_folders_within_parts_is_complete():
    folders = {path.parent for path in PACKAGE.glob("*/*/__init__.py")}
    found = {(path.parent.name, path.name) for path in folders}
    assert found == set(ALLOWED_WITHIN)


def test_the_list_of_parts_is_complete():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(ALLOWED)


def test_shared_checks_import_no_part():
    for path in PACKAGE.glob("_[a-z]*.py"):
        parts = {name for name in imported_parts(path) if not name.startswith("_")}
        assert not parts, path.name


def test_the_package_itself_imports_neither_recipes_nor_analysis_nor_command():
    parts = set(imported_parts(PACKAGE / "__init__.py"))
    assert not parts & {"recipes", "training", "analysis", "costs", "cli"}


def test_large_parts_are_loaded_on_first_use():
    code = """
import sys
import keras_mixvit
parts = ("analysis", "costs", "recipes", "training")
assert not any(f"keras_mixvit.{part}" in sys.modules for part in parts)
assert set(parts) <= set(dir(keras_mixvit))
print(keras_mixvit.costs.flops.__name__, keras_mixvit.recipes.Recipe().method)
try:
    keras_mixvit.cost
except AttributeError as error:
    print(error)
"""
    found = run(code).stdout.splitlines()
    assert found[-2] == "flops mixvit"
    assert found[-1] == "module 'keras_mixvit' has no attribute 'cost'"
