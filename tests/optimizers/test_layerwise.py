"""Optimizers whose rates differ between variables, against NumPy and Keras."""

import keras
import numpy as np
import pytest

from keras_mixvit import SingleNetwork, load_model
from keras_mixvit.optimizers import LayerwiseAdamW, LayerwiseSGD
from keras_mixvit.schedules import WarmupStepDecay
from tests.helpers import LOSS, images, numpy, tiny_convit

SHAPES = {"first": (3, 2), "second": (4,), "third": (2, 2)}


def variables_of(seed=0):
    rng = np.random.default_rng(seed)
    return [
        keras.Variable(rng.normal(size=shape).astype("float32"), name=name)
        for name, shape in SHAPES.items()
    ]


def gradients_of(step):
    rng = np.random.default_rng(100 + step)
    return [rng.normal(size=shape).astype("float32") for shape in SHAPES.values()]


def applied(optimizer, steps, variables=None):
    """The values of the variables after each step, on any backend."""
    variables = variables_of() if variables is None else variables
    optimizer.build(variables)
    found = []
    for step in range(steps):
        gradients = map(keras.ops.convert_to_tensor, gradients_of(step))
        optimizer.apply(list(gradients), variables)
        found.append([numpy(variable.value).copy() for variable in variables])
    return found


def paths(values):
    """A dict from the paths of the variables to values."""
    return {
        variable.path: value
        for variable, value in zip(variables_of(), values, strict=True)
        if value is not None
    }


def adamw(rate, factor, decay, steps, start=0, value=None, index=0):
    """AdamW of one variable, in float64."""
    value = numpy(variables_of()[index].value).astype("float64")
    m = v = np.zeros_like(value)
    for step in range(steps):
        gradient = gradients_of(step)[index].astype("float64")
        own = 0.0 if step < start else rate * factor
        value = value * (1 - own * decay)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        corrected = m / (1 - 0.9 ** (step + 1))
        root = np.sqrt(v / (1 - 0.999 ** (step + 1)))
        value = value - own * corrected / (root + 1e-8)
    return value


def sgd(rate, factor, decay, steps, start=0, index=0):
    """SGD with Nesterov's momentum of one variable, in float64."""
    value = numpy(variables_of()[index].value).astype("float64")
    m = np.zeros_like(value)
    for step in range(steps):
        gradient = gradients_of(step)[index].astype("float64")
        own = 0.0 if step < start else rate * factor
        value = value * (1 - own * decay)
        m = 0.9 * m - own * gradient
        value = value + 0.9 * m - own * gradient
    return value


FACTORS, STARTS = (0.25, 1.0, 0.0), (0, 3, 0)


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (lambda **o: LayerwiseAdamW(0.1, 0.5, epsilon=1e-8, **o), adamw),
        (lambda **o: LayerwiseSGD(0.1, 0.5, momentum=0.9, nesterov=True, **o), sgd),
    ],
)
def test_each_variable_has_its_rate_its_start_and_its_decay(optimizer, expected):
    made = optimizer(rates=paths(FACTORS), starts=paths(STARTS))
    found = applied(made, 6)[-1]
    for index, (factor, start) in enumerate(zip(FACTORS, STARTS, strict=True)):
        value = expected(0.1, factor, 0.5, 6, start=start, index=index)
        np.testing.assert_allclose(found[index], value, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("own", "of_keras"),
    [
        (LayerwiseAdamW, keras.optimizers.AdamW),
        (LayerwiseSGD, keras.optimizers.SGD),
    ],
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
        {"gradient_accumulation_steps": 2},
        {"global_clipnorm": 0.1},
    ],
)
def test_without_rates_it_is_the_optimizer_of_keras(own, of_keras, options):
    found = []
    for kind in (own, of_keras):
        optimizer, variables = kind(0.1, weight_decay=0.5, **options), variables_of()
        optimizer.exclude_from_weight_decay(variables[:1], ["thi"])
        found.append(applied(optimizer, 5, variables))
    for one, other in zip(*found, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def test_a_variable_that_waits_keeps_its_bits():
    start = [numpy(variable.value) for variable in variables_of()]
    optimizer = LayerwiseAdamW(
        0.1, 0.5, starts=paths((4, None, None)), gradient_accumulation_steps=2
    )
    steps = applied(optimizer, 6)
    for values in steps[:4]:
        np.testing.assert_array_equal(values[0], start[0])
    assert np.any(steps[1][1] != start[1])
    # The third update, after six batches, is the first for the waiting variable.
    assert np.any(steps[5][0] != start[0])


def test_the_average_of_weights_follows_the_own_rates():
    optimizer = LayerwiseAdamW(
        0.1, 0.0, rates=paths((0.5, None, 0.0)), use_ema=True, ema_momentum=0.5
    )
    variables = variables_of()
    steps = applied(optimizer, 3, variables)
    optimizer.finalize_variable_values(variables)
    expected = [0.25 * a + 0.25 * b + 0.5 * c for a, b, c in zip(*steps, strict=True)]
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(numpy(variable.value), value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [LayerwiseAdamW, LayerwiseSGD])
def test_a_loaded_model_trains_on_at_the_same_rates(kind, tmp_path):
    keras.utils.set_random_seed(0)
    model = SingleNetwork(tiny_convit(num_blocks=1, num_class_blocks=1), 5)
    optimizer = kind(
        WarmupStepDecay(0.05, 8),
        0.5,
        rates=model.layer_rates(0.5),
        starts=model.layer_starts(2),
    )
    optimizer.exclude_from_weight_decay(model.trainable_variables[::2])
    model.compile(optimizer, LOSS)

    def trained(network, steps):
        for step in steps:
            network.train_on_batch(images(4, seed=step), np.arange(4))
        return [numpy(value) for value in network.get_weights()]

    trained(model, range(3))
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.optimizer.rates == optimizer.rates
    assert loaded.optimizer.starts == optimizer.starts
    for one, other in zip(
        trained(model, range(3, 6)), trained(loaded, range(3, 6)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [LayerwiseAdamW, LayerwiseSGD])
@pytest.mark.parametrize("name", ["rates", "starts"])
def test_paths_of_no_trained_variable_are_refused(kind, name):
    optimizer = kind(0.1, **{name: {"heads/kernle": 1}})
    with pytest.raises(
        ValueError,
        match=rf"^`{name}` must have paths of variables that are trained\. "
        rf"Received: {name}=\['heads/kernle'\]$",
    ):
        optimizer.build(variables_of())


@pytest.mark.parametrize("kind", [LayerwiseAdamW, LayerwiseSGD])
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rates": {"a": -0.1}}, r"^`rates` must map paths .*={'a': -0\.1\}$"),
        ({"rates": {"a": float("nan")}}, r"^`rates` must map paths"),
        ({"rates": {"a": "1"}}, r"^`rates` must map paths"),
        ({"rates": [1.0]}, r"^`rates` must be a dict, or None\. Received: "),
        ({"starts": {"a": 1.5}}, r"^`starts` must map paths .*={'a': 1\.5\}$"),
        ({"starts": {"a": -1}}, r"^`starts` must map paths"),
        ({"starts": "a"}, r"^`starts` must be a dict, or None\. Received: "),
        ({"weight_decay": -1.0}, r"^`weight_decay` must be a finite number of at"),
    ],
)
def test_wrong_arguments_are_refused(kind, options, text):
    with pytest.raises(ValueError, match=text):
        kind(0.1, **options)
