import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import ClassAttention
from tests.helpers import gradients, numpy, set_weights
from tests.layers.compiled import call, compiled
from tests.layers.references import noise, softmax, wide
from tests.plain_class_attention import PlainClassAttention

WIDTH = 12
TOKEN = noise(3, WIDTH, seed=1)
GRID = noise(3, 2, 3, WIDTH, seed=2)
DIRECTION = noise(3, WIDTH, seed=3)


def built(layer_class, **arguments):
    layer = layer_class(**arguments)
    layer.build(TOKEN.shape, GRID.shape)
    set_weights(layer)
    return layer


def all_gradients(layer):
    def projected(token, grid):
        return ops.sum(ops.multiply(layer(token, grid), DIRECTION))

    return gradients(projected, layer, [TOKEN, GRID])


@pytest.mark.parametrize("qkv_bias", [True, False])
@pytest.mark.parametrize("num_heads", [1, 4])
def test_absorbed_form_equals_plain_form(num_heads, qkv_bias):
    arguments = {"num_heads": num_heads, "qkv_bias": qkv_bias}
    absorbed = built(ClassAttention, **arguments)
    plain = built(PlainClassAttention, **arguments)
    np.testing.assert_allclose(
        numpy(call(absorbed, TOKEN, GRID)),
        numpy(call(plain, TOKEN, GRID)),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize(("num_heads", "qkv_bias"), [(3, True), (2, False)])
def test_gradients_of_absorbed_form_equal_those_of_plain_form(num_heads, qkv_bias):
    arguments = {"num_heads": num_heads, "qkv_bias": qkv_bias}
    absorbed = built(ClassAttention, **arguments)
    of_weights, of_inputs = all_gradients(absorbed)
    plain_of_weights, plain_of_inputs = all_gradients(
        built(PlainClassAttention, **arguments)
    )
    assert len(of_weights) == (8 if qkv_bias else 5)
    assert len(of_inputs) == 2
    names = [variable.name for variable in absorbed.trainable_variables]
    for name, found, expected in zip(
        [*names, "token", "grid"],
        of_weights + of_inputs,
        plain_of_weights + plain_of_inputs,
        strict=True,
    ):
        assert found is not None, name
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=name)
        if name == "key_bias":
            np.testing.assert_allclose(found, 0.0, atol=1e-5)
        else:
            assert np.abs(found).max() > 1e-3, name


def test_output_equals_numpy():
    layer = built(ClassAttention, num_heads=3)
    names = ("query", "key", "value", "projection")
    kernel = {name: wide(getattr(layer, f"{name}_kernel")) for name in names}
    bias = {name: wide(getattr(layer, f"{name}_bias")) for name in names}
    expected = np.zeros((3, WIDTH))
    for sample in range(3):
        tokens = np.concatenate([TOKEN[sample, None], GRID[sample].reshape(6, WIDTH)])
        query = TOKEN[sample] @ kernel["query"] + bias["query"]
        key = tokens @ kernel["key"] + bias["key"]
        value = tokens @ kernel["value"] + bias["value"]
        for head in np.arange(WIDTH).reshape(3, 4):
            weights = softmax(key[:, head] @ query[head] / 2)
            expected[sample, head] = weights @ value[:, head]
    expected = expected @ kernel["projection"] + bias["projection"]
    np.testing.assert_allclose(
        numpy(call(layer, TOKEN, GRID)), expected, rtol=1e-5, atol=1e-5
    )


def test_attention_weights_sum_to_one_over_the_class_token_and_the_grid():
    layer = built(ClassAttention, num_heads=4)
    weights = numpy(compiled(layer.attention)(TOKEN, GRID))
    assert weights.shape == (3, 4, 1 + 2 * 3)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-6)


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_same_dropout_draw_gives_the_plain_form_in_training(qkv_bias):
    arguments = {
        "num_heads": 3,
        "qkv_bias": qkv_bias,
        "dropout_rate": 0.2,
        "attention_dropout_rate": 0.5,
        "seed": 7,
    }
    absorbed = built(ClassAttention, **arguments)
    plain = built(PlainClassAttention, **arguments)
    dropped = numpy(call(absorbed, TOKEN, GRID, training=True))
    np.testing.assert_allclose(
        dropped, numpy(call(plain, TOKEN, GRID, training=True)), rtol=1e-5, atol=1e-5
    )
    assert np.all(np.isfinite(dropped))
    assert np.abs(dropped - numpy(call(absorbed, TOKEN, GRID))).max() > 0.05


def test_attention_dropout_keeps_the_mean_of_the_value_bias_and_moves_it():
    rate, draws = 0.4, 4000
    layer = ClassAttention(num_heads=2, attention_dropout_rate=rate, seed=3)
    token, grid = np.zeros((draws, 4), "float32"), np.zeros((draws, 1, 2, 4), "float32")
    layer.build(token.shape, grid.shape)
    layer.value_bias.assign(np.ones(4))
    layer.value_kernel.assign(np.zeros((4, 4)))
    layer.projection_kernel.assign(np.eye(4))
    # Equal weights of 1/3 each: the share kept is binomial, times 5/3 / 3.
    kept = numpy(call(layer, token, grid, training=True))
    np.testing.assert_allclose(kept.mean(axis=0), 1.0, atol=0.05)
    variance = rate / (1 - rate) / 3
    np.testing.assert_allclose(kept.var(axis=0), variance, atol=0.03)
    np.testing.assert_allclose(numpy(call(layer, token, grid)), 1.0, atol=1e-6)


def test_output_dropout_keeps_or_drops_each_feature():
    token, grid = noise(16, WIDTH, seed=1), noise(16, 2, 3, WIDTH, seed=2)
    layer = built(ClassAttention, num_heads=3, dropout_rate=0.5, seed=0)
    inference, training = (
        numpy(y)
        for y in compiled(lambda *x: (layer(*x), layer(*x, training=True)))(token, grid)
    )
    kept = training != 0
    # 192 draws, hence 0.036 of deviation.
    assert 0.35 < kept.mean() < 0.65
    np.testing.assert_allclose(
        training[kept], 2 * inference[kept], rtol=1e-5, atol=1e-6
    )


def test_value_bias_has_weight_one_without_dropout_in_training():
    layer = built(ClassAttention, num_heads=3)
    np.testing.assert_array_equal(
        numpy(call(layer, TOKEN, GRID, training=True)), numpy(call(layer, TOKEN, GRID))
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"num_heads": 0},
            "`num_heads` must be an integer of at least 1. Received: num_heads=0",
        ),
        (
            {"num_heads": 2, "dropout_rate": -0.5},
            r"`dropout_rate` must be in \[0, 1\). Received: dropout_rate=-0.5",
        ),
        (
            {"num_heads": 2, "attention_dropout_rate": 1.0},
            r"`attention_dropout_rate` must be in \[0, 1\). "
            "Received: attention_dropout_rate=1.0",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ClassAttention(**arguments)


def test_heads_must_divide_the_width():
    with pytest.raises(
        ValueError,
        match=r"`num_heads` must divide the width\. Received: num_heads=5, width=12",
    ):
        ClassAttention(num_heads=5)(TOKEN, GRID)
