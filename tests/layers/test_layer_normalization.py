import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers._layer_normalization import LayerNormalization

# Half precision rounds the last step of each alike, or one place apart.
TOLERANCES = {
    "float32": 1e-6,
    "mixed_bfloat16": 1e-2,
    "bfloat16": 2e-2,
}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shape", [(6, 16), (2, 3, 4, 16)])
def test_it_computes_what_that_of_keras_does(dtype, shape):
    rng = np.random.default_rng(0)
    values = (3 + 2 * rng.normal(size=shape)).astype("float32")
    weights = [rng.normal(size=16) for _ in range(2)]
    found = []
    for kind in (LayerNormalization, keras.layers.LayerNormalization):
        layer = kind(epsilon=1e-6, dtype=dtype)
        layer.build(shape)
        layer.set_weights(weights)
        outputs = layer(values)
        assert keras.backend.standardize_dtype(outputs.dtype) == layer.compute_dtype
        found.append(ops.convert_to_numpy(ops.cast(outputs, "float32")))
    tolerance = TOLERANCES[dtype]
    np.testing.assert_allclose(*found, rtol=tolerance, atol=tolerance)
