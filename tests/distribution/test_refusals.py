"""What devices cannot do is said in one sentence, before anything is lost."""

import re

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT
from keras_mixvit.distribution import Parallel, data_parallel, model_parallel
from tests.distribution.backends import BACKEND, on, pairs_of
from tests.distribution.processes import ended, start
from tests.helpers import LOSS, images, tiny_convit


@pytest.mark.parametrize(
    ("count", "size", "options", "received"),
    [
        (16, 6, {}, "batch_size=6, last_batch=6"),
        (18, 8, {"drop_remainder": False}, "batch_size=8, last_batch=2"),
    ],
)
def test_a_batch_that_devices_do_not_divide_is_refused(count, size, options, received):
    message = (
        "`batch_size` must be a multiple of 4, the number of devices, and so must the "
        "size of the last batch, which `drop_remainder=True` leaves out. Received: "
    )
    with pytest.raises(ValueError, match=re.escape(message + received)):
        Parallel(4).own_batches(pairs_of(count, size, **options))


@pytest.mark.parametrize("devices", [0, -1, True])
def test_a_number_of_devices_must_be_positive(devices):
    message = "`devices` must be an integer of at least 1. Received: devices="
    with pytest.raises(ValueError, match=re.escape(message)):
        data_parallel(devices)


def test_one_name_is_no_list_of_devices():
    message = "`devices` must be a number, a list of names or None. Received: "
    with pytest.raises(ValueError, match=re.escape(message + "devices='cpu:0'")):
        data_parallel("cpu:0")


def test_the_time_limit_must_be_positive():
    with pytest.raises(ValueError, match="`timeout` must be positive"):
        data_parallel(timeout=0)


@on["jax"]
def test_devices_that_jax_does_not_have_are_refused():
    keras.ops.zeros(1)  # From now on the processor cannot be split.
    message = "`devices` must be at most 1, the number that JAX has; the env"
    with pytest.raises(ValueError, match=re.escape(message)):
        data_parallel(2)
    message = "`devices` must be among cpu:0. Received: devices=['gpu:7']"
    with pytest.raises(ValueError, match=re.escape(message)):
        data_parallel(["gpu:7"])


@on["jax"]
def test_models_are_spread_over_a_divisor_of_the_devices():
    message = "`model_devices` must divide the number of devices. Received: "
    with pytest.raises(ValueError, match=re.escape(message + "model_devices=2")):
        model_parallel(2, devices=["cpu:0"])


@pytest.mark.skipif(BACKEND == "jax", reason="works on JAX")
def test_model_parallelism_elsewhere_is_refused():
    message = "`model_parallel` must run on JAX: on other backends, Keras cannot "
    with pytest.raises(ValueError, match=re.escape(message)):
        model_parallel(2)


@on["torch"]
def test_processes_must_be_as_many_as_devices():
    message = (
        "`devices` must be None or 1, the number of processes; start more with "
        "`torchrun --nproc-per-node N` or `keras-mixvit train --devices N`. Received: "
        "devices=2"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        data_parallel(2)


def test_a_failure_of_process_0_reaches_the_others():
    class Second(Parallel):
        def agree(self, value):
            return [None, True]

    with pytest.raises(ConnectionError, match="Process 0 of the training could not"):
        Second(2, 1, 2).on_main(lambda: None)

    def fail():
        raise ValueError("as it was")

    with pytest.raises(ValueError, match="as it was"):
        Parallel(1).on_main(fail)


@on["torch"]
def test_another_model_in_another_process_is_refused():
    arguments = ["tests.distribution.scenarios", "data", "shape_mismatch"]
    found = ended(start(arguments, 2))
    assert [status for status, _, _ in found] == [1, 1]
    assert "`model` must be the same in every process." in found[1][2]


@on["torch"]
def test_a_port_in_use_and_a_missing_peer_are_told():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        arguments = ["tests.distribution.scenarios", "data", "convit"]
        ((status, _, errors),) = ended(
            start(
                arguments,
                MASTER_ADDR="127.0.0.1",
                MASTER_PORT=port,
                RANK="0",
                WORLD_SIZE="2",
            )
        )
    assert status == 1
    assert f"ConnectionError: Port {port} is already in use: set MASTER_PORT" in errors


@pytest.mark.skipif(BACKEND == "tensorflow", reason="has no processes")
def test_a_peer_that_never_comes_is_told():
    variables = {"TEST_TIMEOUT": "5"}
    arguments = ["tests.distribution.scenarios", "data", "convit"]
    first, second = start(arguments, 2, **variables)
    second.kill()
    (status, _, errors), _ = ended([first, second])
    assert status != 0
    assert "Not all of the 2 processes came together at " in errors
    assert "ook for one that did not start" in errors


@on["jax"]
def test_a_port_in_use_is_told_on_jax():
    import socket

    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ["tests.distribution.scenarios", "data", "convit"]
        ((status, _, errors),) = ended(
            start(
                arguments,
                KERAS_DISTRIBUTION_JOB_ADDRESSES=f"127.0.0.1:{port}",
                KERAS_DISTRIBUTION_NUM_PROCESSES="2",
                KERAS_DISTRIBUTION_PROCESS_ID="0",
            )
        )
    assert status == 1
    assert f"ConnectionError: Port {port} is already in use: set another" in errors


def parallel_of_backend():
    """The `Parallel` of this backend, as if it had four replicas."""
    if BACKEND == "torch":
        from keras_mixvit.distribution._torch import TorchParallel

        parallel = TorchParallel(1.0)
    else:
        parallel = data_parallel(1)
    parallel.num_replicas = 4
    return parallel


def test_arrays_that_devices_do_not_divide_are_refused():
    message = "`x` must have a number of samples that is a multiple of 4, the number"
    if BACKEND == "torch":
        message = "`x` must be a `mixed_pair_dataset`, or a data set that yields only "
    with pytest.raises(ValueError, match=re.escape(message)):
        parallel_of_backend().require_data(images(6))


@on["torch"]
def test_compiled_steps_are_refused_where_gradients_are_exchanged():
    model = MixViT(tiny_convit(), 5)
    model.compile("sgd", LOSS, jit_compile=True)
    message = "`jit_compile` must be 'auto' or False if processes exchange gradients"
    with pytest.raises(ValueError, match=re.escape(message)):
        parallel_of_backend().check(model)


@on["torch"]
def test_several_steps_in_one_call_are_refused_by_keras():
    model = MixViT(tiny_convit(), 5)
    model.compile("sgd", LOSS, steps_per_execution=2)
    with pytest.raises(ValueError, match="`steps_per_execution` must be 1 with the"):
        model.fit(pairs_of(8, 8), verbose=0)


@on["jax"]
def test_a_share_of_arrays_for_validation_is_refused():
    with data_parallel(1):
        model = MixViT(tiny_convit(), 5)
        model.compile("sgd", LOSS)
        message = "`validation_split` must be 0 on several devices. Pass "
        with pytest.raises(ValueError, match=re.escape(message)):
            model.fit(
                images(8), np.eye(5)[np.arange(8) % 5], validation_split=0.5, verbose=0
            )


@on["jax"]
def test_variables_of_processes_are_given_together(monkeypatch):
    monkeypatch.setenv("KERAS_DISTRIBUTION_JOB_ADDRESSES", "127.0.0.1:1")
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    message = "`KERAS_DISTRIBUTION_NUM_PROCESSES` and `KERAS_DISTRIBUTION_PROCESS_ID`"
    with pytest.raises(ValueError, match=message):
        data_parallel()
    monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", "2")
    message = "`KERAS_DISTRIBUTION_PROCESS_ID` must be in 0 to 1. Received: process_id"
    with pytest.raises(ValueError, match=re.escape(message)):
        data_parallel()
