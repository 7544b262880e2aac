import keras
import numpy as np
import pytest

from keras_mixvit import KerasBackbone, MixMo
from tests.helpers import numpy


def pooled(model, x):
    return numpy(model(x)).mean((1, 2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "grid", "side"),
    [
        ("ResNet50", "conv1_relu", 16),
        ("ConvNeXtTiny", "convnext_tiny_stem", 8),
        ("EfficientNetV2B0", "stem_activation", 16),
    ],
)
def test_keras_applications_are_kept_as_they_are(make, grid, side):
    shape = (32, 32, 3)
    model = getattr(keras.applications, make)(
        weights=None, include_top=False, input_shape=shape
    )
    made = KerasBackbone(model, grid)
    assert made.grid_shape == (side, side)
    assert made.count_params() == model.count_params()
    x = 255 * np.random.default_rng(0).random((2, *shape)).astype("float32")
    expected = pooled(model, x)
    np.testing.assert_allclose(
        numpy(made(x)), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()
    )
    mixed = MixMo(made, 5, mixing_scale=1.0)
    logits = numpy(mixed.inference_network(x))
    heads = numpy(mixed.heads.kernel), numpy(mixed.heads.bias)
    np.testing.assert_allclose(
        logits,
        np.einsum("bf,mfk->bmk", expected, heads[0]) + heads[1],
        rtol=1e-3,
        atol=1e-4 * np.abs(expected).max(),
    )
