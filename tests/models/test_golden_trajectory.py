"""One short training whose losses are known, on every backend.

An error in pairing, masks, weights, forward or backward pass moves these
digits. The numbers were computed on PyTorch in float32 on a CPU.
"""

import keras
import numpy as np
import pytest

from keras_mixvit import MixMo, MixViT, mixed_pair_dataset
from keras_mixvit.backbones import WideResNet
from tests.helpers import LOSS, images, set_weights, tiny_cait, tiny_convit

GOLDEN = {
    "convit-embedding": [1.7952641, 1.7582132, 1.7116182],
    "cait-encoding": [1.9201903, 2.0012534, 1.8820760],
    "cut-mixmo": [5.7318877, 5.6611003, 5.5845693],
}
# Half a minute of eager compilations.
SLOW_ON_JAX = pytest.mark.slow if keras.config.backend() == "jax" else lambda test: test


def model_for(case):
    if case == "cut-mixmo":
        return MixMo(WideResNet((8, 12, 3), depth=10, widening=1, l2=3e-4), 5)
    backbone, attribution = case.split("-")
    backbone = {"convit": tiny_convit, "cait": tiny_cait}[backbone]()
    return MixViT(backbone, 5, source_attribution=attribution)


def losses(case, run_eagerly=False):
    """Loss of each of three epochs of four steps of plain SGD."""
    model = model_for(case)
    set_weights(model)
    model.compile(keras.optimizers.SGD(0.02), LOSS, run_eagerly=run_eagerly)
    x, y = images(32), np.arange(32) % 5
    pairs = mixed_pair_dataset(
        x, y, model.mask_sampler(), epochs=3, batch_size=8, seed=1
    )
    return model.fit(pairs, verbose=0).history["loss"]


@pytest.mark.parametrize("case", GOLDEN)
def test_twelve_steps_lose_what_they_lose_everywhere(case, request):
    if case != "cut-mixmo":  # Convolutions would take 20 seconds.
        request.getfixturevalue("optimised")
    np.testing.assert_allclose(losses(case), GOLDEN[case], rtol=1e-5)


@SLOW_ON_JAX
@pytest.mark.parametrize("case", ["convit-embedding", "cut-mixmo"])
def test_eager_steps_lose_the_same(case):
    eager = losses(case, run_eagerly=True)
    np.testing.assert_allclose(eager, GOLDEN[case], rtol=1e-5)


def test_the_same_seed_is_the_same_run():
    first, second = (losses("convit-embedding") for _ in range(2))
    assert first == second
