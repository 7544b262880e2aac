"""Any number of devices makes the steps that one device makes."""

import json

import keras
import numpy as np
import pytest

from tests.distribution.make_one_device import STORED
from tests.distribution.processes import results
from tests.models.test_golden_trajectory import GOLDEN

BACKEND = keras.config.backend()
EXPECTED = json.loads(STORED.read_text())
GOLDEN_OF = {
    "convit": "convit-embedding",
    "cait": "cait-encoding",
    "cut_mixmo": "cut-mixmo",
}


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


# Context, number of processes, scenarios, environment of JAX.
SETUPS = {
    "jax": [
        ("data:4", 1, ("convit", "cut_mixmo", "dropped")),
        ("model:4:2", 1, ("convit", "spread")),
        ("data", 2, ("convit",)),
        slow("data:1", 1, ("convit", "cut_mixmo", "dropped")),
        slow("data:8", 1, ("convit", "cait", "cut_mixmo")),
        slow("model:4:2", 1, ("cait", "cut_mixmo")),
        slow("model:4:4", 1, ("convit",)),
        slow("data", 2, ("cait", "cut_mixmo")),
        slow("data:4", 1, ("averaged", "accumulated", "on_device")),
    ],
    "tensorflow": [
        ("data:2", 1, ("convit", "dropped")),
        ("data:2", 1, ("cut_mixmo",)),
        slow("data:2", 1, ("cait", "averaged", "on_device")),
        slow("data:4", 1, ("convit",)),
    ],
    "torch": [
        ("data", 2, ("convit", "cait", "cut_mixmo", "dropped")),
        slow("data", 2, ("averaged", "accumulated", "on_device")),
        slow("data", 4, ("convit", "cut_mixmo")),
    ],
}[BACKEND]


def found_on(context, count, names):
    devices = 2 if count > 1 else int(context.split(":")[1])
    return results(context, *names, count=count, JAX_NUM_CPU_DEVICES=str(devices))


def require_same(found, name):
    """History, scores and logits of one device, to 1e-5."""
    expected = EXPECTED[name]
    if name == "on_device":
        np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-5)
        return
    for key in ("history", "scores", "report"):
        assert set(found[key]) == set(expected[key])
        for metric, value in expected[key].items():
            np.testing.assert_allclose(
                found[key][metric], value, rtol=1e-5, err_msg=metric
            )
    np.testing.assert_allclose(found["logits"], expected["logits"], atol=2e-5)
    if name in GOLDEN_OF:
        losses = found["history"]["loss"]
        np.testing.assert_allclose(losses, GOLDEN[GOLDEN_OF[name]], rtol=1e-5)


@pytest.mark.parametrize(("context", "count", "names"), SETUPS)
def test_training_and_judgement_are_those_of_one_device(context, count, names):
    found = found_on(context, count, names)
    assert len(found) == count
    for process in found:
        for name in set(names) & set(EXPECTED):
            require_same(process[name], name)
    # Here, as runs of their own would take the time of this one once more.
    if "dropped" in names:
        require_drawn_apart([process["dropped"] for process in found])
    if "spread" in names:
        require_cut(found[0]["spread"])


def require_drawn_apart(found):
    """Other samples dropped on every replica."""
    assert np.all(np.isfinite([process["losses"] for process in found]))
    draws = [draw for process in found for draw in process["draws"]]
    if BACKEND == "jax":
        # Replicas are parts of one array there, drawn as a whole.
        assert [sorted(set(draw)) for draw in draws] == [[0.0, 2.0]]
        return
    assert len(draws) == 2
    assert draws[0] != draws[1]


def require_cut(sizes):
    """Most bytes of kernels in halves, on a mesh with two devices a model."""
    sizes = np.array(list(sizes.values()))
    cut = sizes[:, 1] * 2 == sizes[:, 0]
    assert np.all(cut | (sizes[:, 0] == sizes[:, 1]))
    assert sizes[cut, 0].sum() / sizes[:, 0].sum() >= 0.8


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "jax", reason="replicas draw apart elsewhere")
def test_dropout_on_jax_does_not_depend_on_the_devices():
    one, four = (found_on(f"data:{n}", 1, ("dropped",))[0]["dropped"] for n in (1, 4))
    np.testing.assert_allclose(one["losses"], four["losses"], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "jax", reason="refused elsewhere")
def test_several_steps_in_one_call_are_those_steps():
    one, two = (
        results(f"data:{n}", "several_steps", JAX_NUM_CPU_DEVICES=str(n))[0]
        for n in (1, 2)
    )
    one, two = (found["several_steps"]["loss"] for found in (one, two))
    np.testing.assert_allclose(one, two, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["half_precision", "scaled_loss"])
def test_mixed_precision_trains(name):
    if BACKEND == "jax" and name == "scaled_loss":
        pytest.skip("float16 is TensorFlow's and PyTorch's here")
    count = 2 if BACKEND == "torch" else 1
    context = "data" if BACKEND == "torch" else "data:2"
    found = results(context, name, count=count, JAX_NUM_CPU_DEVICES="2")
    for process in found:
        losses = process[name]["loss"]
        np.testing.assert_allclose(losses, GOLDEN["convit-embedding"], rtol=5e-3)
