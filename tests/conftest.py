import contextlib
import gc
import io
import json
import os
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

from packaging.version import Version

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if os.environ.get("KERAS_BACKEND") == "jax" and (
    Version(metadata.version("jaxlib")) < Version("0.11")
):
    # Halves the compilation of programs that run a few times only. A flag that
    # a later release no longer knows would end the process.
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1 "
        "--xla_cpu_max_isa=AVX2",
    )

import keras
import pytest

if keras.config.backend() == "jax":
    import jax

    # Compilation is nearly all of the time: programs run a few times only.
    jax.config.update("jax_disable_most_optimizations", True)
    # For the processes that tests start.
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    # On a GPU, JAX may compute products of float32 with fewer bits.
    jax.config.update("jax_default_matmul_precision", "float32")

if keras.config.backend() == "torch":
    import torch

    # Tensors here are tiny; several threads would mostly wait for each other.
    torch.set_num_threads(1)


# What these folders test does not depend on the backend. PyTorch is the quickest, as
# it compiles nothing.
ONE_BACKEND = (
    *("masks", "schedules", "data/sets"),
    *(
        f"augmentation/test_{name}.py"
        for name in (
            *("auto_augment", "horizontal_flip", "operations", "pad_crop"),
            *("rand_augment", "random_erasing"),
        )
    ),
    *(
        f"analysis/test_{name}.py"
        for name in (
            *("ensemble_effectiveness", "ood_histograms", "reliability_diagram"),
            *("risk_coverage_curve", "style", "training_curves", "weighting_curves"),
        )
    ),
    *(
        f"cli/test_{name}.py"
        for name in ("closed_pipe", "predict", "serve", "study", "without_backend")
    ),
    *(
        f"contract/test_{name}.py"
        for name in ("annotations", "commands", "docstrings", "sources", "wrong_types")
    ),
    # They count operations in a graph of Keras; those that compare with a compiled
    # program run on JAX.
    *(
        f"costs/test_{name}.py"
        for name in (
            *("appendix_a", "attention_costs", "cost", "flop_report", "layer_calls"),
            "layer_costs",
        )
    ),
    *(
        f"data/test_{name}.py"
        for name in (
            *("dataset_checks", "image_pipeline_augment", "pairing", "pixel_mixing"),
            *("pixel_mixing_checks", "pixel_mixing_draws", "stored_draws"),
        )
    ),
    *(
        f"data/sources/test_{name}.py"
        for name in (
            *("image_array", "image_files", "image_files_fuzz", "image_folder"),
            *("image_source", "read_ahead", "resizing", "resizing_properties"),
        )
    ),
    "evaluation/test_corruptions.py",
    *(
        f"metrics/test_{name}.py"
        for name in (
            *("aurc", "bootstrap_intervals", "calibrated_nll", "confusion_matrix"),
            *("classwise_calibration_error", "nll", "ood_detection", "ood_scores"),
            *("resamples", "risk_coverage", "selective_risk", "set_scores"),
            *("subnetwork_temperatures", "temperature", "vector_scaling"),
        )
    ),
    *(
        f"recipes/test_{name}.py"
        for name in (
            *("adapt", "chosen_recipe", "digits", "option_names", "papers", "recipe"),
            *("recipe_checks", "recipe_file", "registry", "settings_properties"),
        )
    ),
    *(
        f"training/test_{name}.py"
        for name in (
            *("progress", "run_description", "run_folder_fuzz", "study"),
            *("study_cells", "study_file", "study_judgement_fuzz", "study_lock"),
            *("study_page", "study_plan", "study_slots"),
        )
    ),
    *("test_declared.py", "test_docs_tables.py", "test_house.py"),
    *("test_import_order.py", "test_old_names.py", "test_paired_test.py"),
)


def pytest_addoption(parser):
    parser.addoption(
        "--every-test",
        action="store_true",
        help="on JAX and TensorFlow, run the tests marked one_backend, too",
    )


def pytest_collection_modifyitems(config, items):
    if keras.config.backend() == "torch" or config.getoption("--every-test"):
        return
    places = [Path(__file__).parent / name for name in ONE_BACKEND]
    once, rest = [], []
    for item in items:
        is_once = item.get_closest_marker("one_backend") is not None
        path = item.path
        is_once = is_once or any(place in (path, *path.parents) for place in places)
        (once if is_once else rest).append(item)
    config.hook.pytest_deselected(items=once)
    items[:] = rest


def pytest_collection_finish(session):
    # Keras collects garbage whenever a layer loses a weight. A collection skips the
    # frozen objects, here the quarter of a million that the imports made.
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture
def optimised():
    """Compiles as in real use, on JAX; elsewhere nothing changes."""
    if keras.config.backend() == "jax":
        jax.config.update("jax_disable_most_optimizations", False)
    yield
    if keras.config.backend() == "jax":
        jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture(autouse=True)
def _float32():
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def command_run(tmp_path_factory):
    """A finished run of the command; tests leave it as it is."""
    from keras_mixvit.cli import main
    from tests.tiny_run import make_eager, train_words, write_images

    base = tmp_path_factory.mktemp("run")
    data = write_images(base / "three.npz")
    text = io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_eager(monkeypatch)
        monkeypatch.setenv("COLUMNS", "120")
        with contextlib.redirect_stdout(text):
            status = main(train_words(data, base / "out", "--set=seed=3", "--single"))
    return SimpleNamespace(
        status=status,
        folder=base / "out",
        data=data,
        text=text.getvalue(),
        result=json.loads((base / "out" / "result.json").read_text()),
    )


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """Keeps tables and indices of shards in a folder of the test, and says where."""
    import datasets

    from keras_mixvit.data.sources import _shard_cache as shard_cache

    folder = tmp_path / "caches"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "tables")
    monkeypatch.setattr(shard_cache, "cache_folder", lambda: folder / "shards")
    return folder
