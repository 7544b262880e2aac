"""House rules that can be counted: sizes of files and folders, names of tests."""

import statistics
from pathlib import Path

import pytest

import keras_mixvit

PACKAGE = Path(keras_mixvit.__file__).parent
TESTS = Path(__file__).parent
# Folders of tests that are no folder of the package.
OWN_FOLDERS = {"contract", "saved"}
# Test files that are named after no module of the folder, and what they are about.
SUBJECTS = {
    "test_accelerator.py": "the benchmark of accelerators",
    "test_declared.py": "pyproject.toml against the imports of all files",
    "test_docs.py": "README.md and docs/",
    "test_docs_tables.py": "the tables of README.md and docs/",
    "test_house.py": "the sizes of files and folders",
    "test_import_order.py": "the imports of all files",
    "test_imports.py": "what an import of the package loads",
    "test_tutorials.py": "the notebooks of tutorials/",
    "backbones/test_backbones.py": "what every backbone does alike",
    "backbones/test_keras_applications.py": "models of Keras as backbones",
    "backbones/test_published_convit.py": "parameters of the published ConViT",
    "backbones/test_recompute.py": "recomputation in every backbone",
    "backbones/test_residual_arguments.py": "arguments of the residual networks",
    "backbones/test_residual_counts.py": "published sizes of the residual networks",
    "backbones/test_residual_networks.py": "the stages of the residual networks",
    "backbones/test_residual_outputs.py": "outputs of plain PyTorch",
    "cli/test_cli.py": "the whole command",
    "cli/test_without_backend.py": "what the command does at once",
    "data/test_shard.py": "what each process reads",
    "data/test_stored_draws.py": "what a seed draws",
    "distribution/test_refusals.py": "errors of every engine",
    "distribution/test_same_on_many_devices.py": "numbers on one device and on many",
    "layers/test_dtypes.py": "dtype policies of every layer",
    "layers/test_precision.py": "half precision of every layer",
    "layers/test_residual_block_values.py": "values of both residual blocks",
    "layers/test_residual_blocks.py": "what both residual blocks do alike",
    "layers/test_small_layers.py": "layers of a few lines",
    "metrics/test_batches.py": "every metric over several batches",
    "metrics/test_other_libraries.py": "numbers that other libraries computed",
    "metrics/test_whole_sets.py": "every function of a whole set",
    "models/test_arguments.py": "errors of every constructor",
    "models/test_bad_input.py": "errors of fit, evaluate and predict",
    "models/test_batches_seen.py": "the batches that a step is given",
    "models/test_device_augmentation.py": "augmentation in the compiled step",
    "models/test_dtypes.py": "dtype policies of every model",
    "models/test_export.py": "exported models",
    "models/test_export_bytes.py": "exported models that take bytes",
    "models/test_golden_trajectory.py": "losses that are stored",
    "models/test_initial_weights.py": "first weights of every model",
    "models/test_losses.py": "the losses that models are compiled with",
    "models/test_many_steps.py": "several steps in one call",
    "models/test_many_steps_options.py": "several steps in one call, with options",
    "models/test_precision.py": "half precision of every model",
    "models/test_quantized.py": "quantized models",
    "models/test_scanned_steps.py": "several steps in one scan of JAX",
    "models/test_temperature.py": "the temperature of a model",
    "models/test_weights.py": "weights of samples and classes",
    "recipes/test_combinations.py": "every method on every backbone",
    "recipes/test_digits.py": "the recipes for the digits",
    "recipes/test_parameters.py": "parameters that the papers print",
    "training/test_run_order.py": "the order of what a run does",
    "training/test_training_steps.py": "the steps of a training",
}


def lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def python_files(folder):
    return sorted(folder.rglob("*.py"))


def part(path):
    """The folder that a file of the package counts for."""
    names = path.relative_to(PACKAGE).parts
    if names[0] == "data" and names[1] in ("sources", "sets"):
        return f"data/{names[1]}"
    return names[0] if len(names) > 1 else ""


def test_no_file_is_longer_than_300_lines():
    files = [*python_files(PACKAGE), *python_files(TESTS)]
    long = {path for path in files if lines(path) > 300}
    long = {path.relative_to(TESTS.parent).as_posix() for path in long}
    assert not long, "split it by subject"


def test_half_of_the_files_are_shorter_than_100_lines():
    assert statistics.median(map(lines, python_files(PACKAGE))) < 100


def test_no_package_has_more_than_13_percent_of_the_lines():
    sizes = {}
    for path in python_files(PACKAGE):
        sizes[part(path)] = sizes.get(part(path), 0) + lines(path)
    share = {name: size / sum(sizes.values()) for name, size in sizes.items()}
    largest = max(share, key=share.get)
    assert share[largest] < 0.13, largest


def test_folders_of_tests_are_those_of_the_package():
    folders = {path.parent.relative_to(TESTS).as_posix() for path in files_of_tests()}
    package = {path.parent.relative_to(PACKAGE).as_posix() for path in modules()}
    assert folders - OWN_FOLDERS <= package


def files_of_tests():
    return sorted(TESTS.rglob("test_*.py"))


def modules():
    return sorted(PACKAGE.rglob("_*.py"))


def is_named_after_a_module(path):
    """As `test_hub.py` is, and `test_hub_names.py`, on one of its subjects."""
    folder = PACKAGE / path.parent.relative_to(TESTS)
    name = path.stem.removeprefix("test")
    names = [module.stem for module in folder.glob("_*.py")]
    return any(name == module or name.startswith(f"{module}_") for module in names)


def test_test_files_are_named_after_a_module_or_listed():
    listed = set()
    for path in files_of_tests():
        name = path.relative_to(TESTS).as_posix()
        has_ending = path.stem.endswith(("_properties", "_fuzz"))
        is_own = name.split("/")[0] in OWN_FOLDERS
        if not (has_ending or is_own or is_named_after_a_module(path)):
            listed.add(name)
    assert not listed - set(SUBJECTS), "name it after a module, or list its subject"
    assert not set(SUBJECTS) - listed, "remove it from the list: it is gone or named so"


@pytest.mark.parametrize("folder", sorted(p.name for p in PACKAGE.glob("[a-z]*/")))
def test_every_package_has_tests(folder):
    assert list((TESTS / folder).rglob("test_*.py"))
