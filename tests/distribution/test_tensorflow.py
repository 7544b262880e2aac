"""What TensorFlow cannot do on several devices is refused."""

import re

import keras
import pytest

from keras_mixvit import MixViT
from keras_mixvit.distribution import data_parallel
from tests.distribution.backends import on, pairs_of
from tests.helpers import LOSS, tiny_convit


@on["tensorflow"]
def test_devices_that_tensorflow_does_not_have_are_refused():
    keras.ops.zeros(1)
    message = "`devices` must be at most 1, the number that TensorFlow has; you "
    with pytest.raises(ValueError, match=re.escape(message)):
        data_parallel(2)
    message = "`devices` must be among cpu:0. Received: devices=['gpu:7']"
    with pytest.raises(ValueError, match=re.escape(message)):
        data_parallel(["gpu:7"])


@on["tensorflow"]
def test_several_workers_are_refused(monkeypatch):
    cluster = '{"cluster": {"worker": ["a:1", "b:1"]}}'
    monkeypatch.setenv("TF_CONFIG", cluster)
    message = "`TF_CONFIG` must not name further workers: Keras's `fit` fails under "
    with pytest.raises(ValueError, match=re.escape(message)):
        data_parallel()


@on["tensorflow"]
def test_a_resolver_makes_a_strategy_for_tpus(monkeypatch):
    import tensorflow as tf

    class Resolver(tf.distribute.cluster_resolver.SimpleClusterResolver):
        def __init__(self):
            super().__init__(tf.train.ClusterSpec({}))

    done = []
    connect, initialize = (
        lambda resolver: done.append("connected"),
        lambda resolver: done.append("initialized"),
    )
    strategy = tf.distribute.get_strategy()
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", connect)
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", initialize)
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda resolver: strategy)
    assert data_parallel(Resolver()).strategy is strategy
    assert done == ["connected", "initialized"]


@on["tensorflow"]
def test_what_keras_ignores_on_tensorflow_is_refused(monkeypatch):
    model = MixViT(tiny_convit(), 5)
    model.compile("sgd", LOSS)
    monkeypatch.setattr(keras.distribution, "distribution", lambda: "a distribution")
    message = (
        "`keras.distribution` must not be set on TensorFlow, where Keras ignores it: "
        "use `keras_mixvit.distribution.data_parallel`."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(pairs_of(8, 8), verbose=0)


@on["tensorflow"]
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps_per_execution": 2}, "`steps_per_execution` must be 1 under _Default"),
        ({"jit_compile": True}, "`jit_compile` must be 'auto' or False under _Default"),
    ],
)
def test_what_fails_under_a_strategy_is_refused(options, message):
    import tensorflow as tf

    from keras_mixvit.distribution._tensorflow import TensorFlowParallel

    model = MixViT(tiny_convit(), 5)
    model.compile("sgd", LOSS, **options)
    with pytest.raises(ValueError, match=re.escape(message)):
        TensorFlowParallel(tf.distribute.get_strategy()).check(model)


@on["tensorflow"]
def test_accumulated_gradients_are_refused_under_a_strategy():
    import tensorflow as tf

    from keras_mixvit.distribution._tensorflow import TensorFlowParallel

    model = MixViT(tiny_convit(), 5)
    model.compile(keras.optimizers.SGD(gradient_accumulation_steps=2), LOSS)
    message = "`gradient_accumulation_steps` must be None under _DefaultDistribution"
    with pytest.raises(ValueError, match=message):
        TensorFlowParallel(tf.distribute.get_strategy()).check(model)


@on["tensorflow"]
@pytest.mark.parametrize("replicas", [2, 3, 8])
@pytest.mark.parametrize("rows", [1, 2, 13, 50, 297, 1000])
def test_no_replica_is_left_without_a_sample(rows, replicas):
    from keras_mixvit.distribution._tensorflow import fitting_size

    size = fitting_size(rows, 32, replicas)
    if size is None:
        # Rare, and of few samples: all of them are repeated then.
        assert rows < 2 * replicas**2
        return
    assert size % replicas == 0
    for batch in [size] * (rows // size) + [rows % size] * (rows % size > 0):
        shares = [len(share) for share in cuts(batch, replicas)]
        assert min(shares) > 0, (size, shares)
    assert rows >= size


def cuts(batch, replicas):
    """How `tf.distribute` cuts a batch."""
    length = -(-batch // replicas)
    return [range(batch)[i * length : (i + 1) * length] for i in range(replicas)]
