import builtins
import re
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from keras_mixvit.convert import load_timm_weights, read_weights, timm_weights
from tests.convert.files import RunsCode, cut, pickled
from tests.helpers import numpy, set_weights, tiny_cait

WEIGHTS = {
    "head.weight": np.arange(6, dtype="float32").reshape(2, 3),
    "head.bias": np.array([0.5, -0.5], "float32"),
}
SUFFIXES = (".npz", ".safetensors", ".pth", ".pt", ".bin", ".ckpt")


def save(weights, path):
    """Writes arrays as the kind of file that the path's ending tells."""
    if path.suffix == ".npz":
        np.savez(path, **weights)
    elif path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch = pytest.importorskip("torch")
        torch.save({name: torch.tensor(a) for name, a in weights.items()}, path)
    return path


def require_torch(suffix):
    if suffix not in (".npz", ".safetensors"):
        pytest.importorskip("torch")


def assert_same(found, expected=WEIGHTS):
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert type(found[name]) is np.ndarray
        assert found[name].dtype == array.dtype, name
        np.testing.assert_array_equal(found[name], array)


def refused(path):
    """The text of the refusal of a file."""
    with pytest.raises(ValueError, match="Received: path=") as error:
        read_weights(path)
    assert repr(str(path)) in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_arrays_are_read_as_they_were_written(suffix, tmp_path):
    assert_same(read_weights(save(WEIGHTS, tmp_path / f"weights{suffix}")))


def test_the_path_may_be_a_string(tmp_path):
    assert_same(read_weights(str(save(WEIGHTS, tmp_path / "weights.npz"))))


def test_a_file_can_be_given_in_place_of_arrays(tmp_path):
    cait = tiny_cait(num_blocks=1, num_class_blocks=1)
    set_weights(cait)
    values = [numpy(variable) for variable in cait.trainable_variables]
    path = tmp_path / "cait.safetensors"
    save_file(timm_weights(cait), path)
    set_weights(cait, seed=1)
    load_timm_weights(cait, path)
    for variable, value in zip(cait.trainable_variables, values, strict=True):
        np.testing.assert_array_equal(numpy(variable), value, variable.path)


@pytest.mark.parametrize("key", ["model", "state_dict"])
def test_weights_in_a_checkpoint_of_a_training_are_found(key, tmp_path):
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(array) for name, array in WEIGHTS.items()}
    checkpoint = {"epoch": 3, "optimizer": {"lr": 0.1}, key: tensors}
    torch.save(checkpoint, tmp_path / "checkpoint.pth")
    assert_same(read_weights(tmp_path / "checkpoint.pth"))


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pth"])
def test_the_prefix_of_distributed_trainings_is_taken_off(suffix, tmp_path):
    prefixed = {f"module.{name}": array for name, array in WEIGHTS.items()}
    assert_same(read_weights(save(prefixed, tmp_path / f"weights{suffix}")))


def test_a_prefix_that_some_names_lack_is_part_of_the_names(tmp_path):
    mixed = {"module.norm": WEIGHTS["head.bias"], **WEIGHTS}
    assert_same(read_weights(save(mixed, tmp_path / "weights.npz")), mixed)


def test_half_precision_is_read(tmp_path):
    half = {name: array.astype("float16") for name, array in WEIGHTS.items()}
    for suffix in (".npz", ".safetensors"):
        assert_same(read_weights(save(half, tmp_path / f"half{suffix}")), half)


def test_bfloat16_of_safetensors_is_read(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    half = {name: array.astype(ml_dtypes.bfloat16) for name, array in WEIGHTS.items()}
    save_file(half, tmp_path / "half.safetensors")
    assert_same(read_weights(tmp_path / "half.safetensors"), half)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_tensors_of_any_float_type_are_read_as_float32(dtype, tmp_path):
    torch = pytest.importorskip("torch")
    dtype = getattr(torch, dtype)
    tensors = {name: torch.tensor(a).to(dtype) for name, a in WEIGHTS.items()}
    torch.save(tensors, tmp_path / "weights.pth")
    assert_same(read_weights(tmp_path / "weights.pth"))


def test_parameters_that_ask_for_gradients_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    parameters = {n: torch.nn.Parameter(torch.tensor(a)) for n, a in WEIGHTS.items()}
    torch.save(parameters, tmp_path / "weights.pth")
    assert_same(read_weights(tmp_path / "weights.pth"))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pth"])
def test_a_file_cut_short_is_refused(suffix, share, tmp_path):
    path = save(WEIGHTS, tmp_path / f"weights{suffix}")
    cut(path, share)
    message = f"`path` must be an intact {suffix} file of weights only. Received: "
    assert refused(path).startswith(message)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_text_under_another_ending_is_refused(suffix, tmp_path):
    require_torch(suffix)
    path = tmp_path / f"weights{suffix}"
    path.write_text("No weights are in here.\n" * 20, encoding="utf-8")
    assert f"an intact {suffix} file of weights only" in refused(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_code_in_a_pickle_is_not_run(suffix, tmp_path):
    require_torch(suffix)
    path, trace = tmp_path / f"weights{suffix}", tmp_path / "trace"
    pickled({"head.bias": RunsCode(trace)}, path)
    assert f"an intact {suffix} file of weights only" in refused(path)
    assert not trace.exists()


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    torch = pytest.importorskip("torch")
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    weights = {name: torch.tensor(array) for name, array in WEIGHTS.items()}
    torch.save({**weights, "extra": RunsCode(trace)}, path)
    assert "an intact .pth file of weights only" in refused(path)
    assert not trace.exists()
    # Else the test would pass with a class that does nothing.
    torch.load(path, weights_only=False)
    assert trace.read_text() == "code was run"


def test_objects_in_an_npz_are_refused_and_not_made(tmp_path):
    path, trace = tmp_path / "weights.npz", tmp_path / "trace"
    objects = np.array([RunsCode(trace)], dtype=object)
    np.savez(path, **WEIGHTS, extra=objects)
    assert "an intact .npz file of weights only" in refused(path)
    assert not trace.exists()


def test_a_lone_array_under_the_ending_of_several_is_refused(tmp_path):
    path = tmp_path / "weights.npz"
    with path.open("wb") as file:
        np.save(file, WEIGHTS["head.weight"])
    assert "an intact .npz file of weights only" in refused(path)


@pytest.mark.parametrize("content", ["a list", "a number beside tensors"])
def test_a_checkpoint_of_other_things_than_tensors_is_refused(content, tmp_path):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(WEIGHTS["head.bias"])
    items = {"a list": [tensor], "a number beside tensors": {"a": tensor, "epoch": 3}}
    path = tmp_path / "weights.pth"
    torch.save(items[content], path)
    assert refused(path).endswith("(it does not hold only named tensors)")


@pytest.mark.parametrize("name", ["weights.h5", "weights", "weights.pth.tar"])
def test_an_unknown_ending_is_refused(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"")
    message = "`path` must end in one of .safetensors, .pth, .pt, .bin, .ckpt, .npz."
    assert refused(path).startswith(message)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    message = "`path` must be an existing file."
    (tmp_path / "folder.npz").mkdir()
    for name in ("nothing.npz", "folder.npz"):
        assert refused(tmp_path / name).startswith(message)


@pytest.mark.parametrize(
    ("package", "suffix"),
    [("safetensors", ".safetensors"), ("torch", ".pth"), ("torch", ".bin")],
)
def test_a_missing_package_is_named(package, suffix, tmp_path, monkeypatch):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(b"never read")
    real_import = builtins.__import__

    def without_package(name, *arguments):
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real_import(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_package)
    message = (
        f"Reading a {suffix} file needs the package {package}: pip install {package}."
    )
    with pytest.raises(ModuleNotFoundError, match=f"^{re.escape(message)}$"):
        read_weights(path)


def test_the_package_of_another_kind_of_file_is_not_needed(tmp_path, monkeypatch):
    path = save(WEIGHTS, tmp_path / "weights.npz")
    for package in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, package, None)
    assert_same(read_weights(path))
