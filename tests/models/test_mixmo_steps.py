"""Training steps of MixMo: the paper's loss, and a network in plain PyTorch."""

import keras
import numpy as np
import pytest

from keras_mixvit import MixMo, load_model, mixed_pair_dataset
from keras_mixvit.backbones import WideResNet
from keras_mixvit.convert import load_mixmo_weights, mixmo_weights
from tests.helpers import EAGERLY, LOSS, images, numpy, set_weights
from tests.layers.compiled import compiled
from tests.models.make_mixmo_steps import (
    BATCH,
    L2,
    MOMENTUM,
    NUM_CLASSES,
    PATH,
    RATE,
    SIDE,
    R,
    batches,
    drawn_weights,
)

METHODS = ("mimo", "linear_mixmo", "cut_mixmo")


def network(members=2, r=R):
    backbone = WideResNet((SIDE, SIDE, 3), depth=10, widening=1, l2=L2)
    return MixMo(backbone, NUM_CLASSES, members, r=r)


@pytest.fixture(scope="module")
def network_for():
    """A model for a method, ready to train; made once, as it compiles for long.

    The methods differ in masks and `r` alone: those of one `r` share a model.
    """
    made = {}

    def get(method, members=2):
        r = 1.0 if method == "mimo" else R
        if (members, r) not in made:
            model = network(members, r)
            optimizer = keras.optimizers.SGD(RATE, momentum=MOMENTUM, nesterov=True)
            model.compile(optimizer, LOSS, **EAGERLY)
            optimizer.build(model.trainable_variables)
            made[members, r] = model, model.get_weights()
        model, weights = made[members, r]
        model.set_weights(weights)
        for variable in model.optimizer.momentums:
            variable.assign(np.zeros(variable.shape))
        model.reset_metrics()
        return model

    return get


def sampler(model, method):
    # Half the batches of Cut-MixMo have linear masks.
    options = {"probability": 1.0} if method == "cut_mixmo" else {}
    return model.mask_sampler(method, **options)


def penalty(model):
    """L2 of every trainable parameter, in NumPy."""
    squares = [(numpy(v).astype("float64") ** 2).sum() for v in model.trainable_weights]
    return L2 * sum(squares)


@pytest.mark.parametrize("members", [2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_the_printed_loss_is_the_papers(method, members, network_for):
    model = network_for(method, members)
    set_weights(model, scale=0.2)
    x, y = images(BATCH, (SIDE, SIDE, 3)), np.arange(BATCH) % NUM_CLASSES
    masks = sampler(model, method)
    inputs, labels = mixed_pair_dataset(x, y, masks, epochs=2, batch_size=BATCH)[0]
    forward = compiled(lambda x: model(x, training=True))
    logits = numpy(forward(inputs)).astype("float64")
    ratios = inputs["masks"].astype("float64").mean(axis=(2, 3))
    powers = ratios if method == "mimo" else np.cbrt(ratios)
    weights = members * powers / powers.sum(axis=1, keepdims=True)
    if method == "mimo":
        np.testing.assert_allclose(weights, 1, rtol=1e-6)
    else:
        assert weights.std() > 0.05
    expected = penalty(model)
    assert expected > 1e-2
    for m in range(members):
        log_sums = np.log(np.exp(logits[:, m]).sum(axis=1))
        entropies = log_sums - logits[np.arange(BATCH), m, labels[:, m]]
        expected += np.mean(weights[:, m] * entropies)
    loss = float(model.train_on_batch(inputs, labels))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_l2_is_of_every_parameter_once_and_survives_saving(network_for, tmp_path):
    model = network_for("cut_mixmo")
    set_weights(model, scale=0.2)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    for one in (model, loaded):
        assert len(one.losses) == len(one.trainable_variables)
        np.testing.assert_allclose(float(sum(one.losses)), penalty(model), rtol=1e-6)


def test_the_loss_of_images_has_the_penalty_once():
    model = network()
    set_weights(model, scale=0.2)
    model.compile("sgd", LOSS, **EAGERLY)
    x, y = images(BATCH, (SIDE, SIDE, 3)), np.arange(BATCH) % NUM_CLASSES
    logits = numpy(compiled(model)(x)).astype("float64")
    entropies = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(BATCH), y]
    loss = float(model.test_on_batch(x, y))
    np.testing.assert_allclose(loss, penalty(model) + entropies.mean(), rtol=1e-5)


@pytest.fixture(scope="module")
def three_steps(network_for):
    """Losses of three steps and the weights, by published names, around them."""
    model = network_for("cut_mixmo")
    shapes = {name: array.shape for name, array in mixmo_weights(model).items()}
    load_mixmo_weights(model, drawn_weights(shapes))
    losses, weights = [], [mixmo_weights(model)]
    for x, masks, labels in batches():
        model.reset_metrics()
        inputs = {"images": x, "masks": masks}
        losses.append(float(model.train_on_batch(inputs, labels)))
        weights.append(mixmo_weights(model))
    return losses, weights


@pytest.fixture(scope="module")
def stored():
    with np.load(PATH, allow_pickle=False) as file:
        return dict(file)


def part(stored, prefix):
    start = f"{prefix}/"
    return {n.removeprefix(start): v for n, v in stored.items() if n.startswith(start)}


def distances(a, b, names):
    return {n: np.linalg.norm(a[n].astype("float64") - b[n]) for n in names}


def test_three_steps_lose_what_they_lose_in_pytorch(three_steps, stored):
    losses, _ = three_steps
    np.testing.assert_allclose(losses, stored["losses"], rtol=1e-5)


def test_the_first_gradient_is_pytorchs(three_steps, stored):
    _, (before, after, *_) = three_steps
    norms = part(stored, "gradient_norm")
    # Nesterov's first step is 1 + momentum times the rate times the gradient.
    moved = distances(before, after, norms)
    actual = {name: d / (RATE * (1 + MOMENTUM)) for name, d in moved.items()}
    for name, norm in norms.items():
        np.testing.assert_allclose(actual[name], norm, rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(
        np.linalg.norm(list(actual.values())),
        np.linalg.norm(list(norms.values())),
        rtol=1e-5,
    )


def test_three_steps_move_every_parameter_as_far_as_in_pytorch(three_steps, stored):
    _, weights = three_steps
    expected = part(stored, "moved")
    moved = distances(weights[0], weights[-1], expected)
    for name, distance in expected.items():
        np.testing.assert_allclose(moved[name], distance, rtol=1e-4, err_msg=name)


def test_running_statistics_are_pytorchs_but_for_its_larger_variance(
    three_steps, stored
):
    _, weights = three_steps
    grids = {"layer3.0.bn1": SIDE / 2, "layer3.0.bn2": SIDE / 2, "bn1": SIDE / 4}
    for name, value in part(stored, "after").items():
        expected = value
        if name.endswith("running_var"):
            # Keras averages variances of a batch of n values, PyTorch these
            # times n / (n - 1); both keep 0.9 ** 3 of what they began with.
            n = BATCH * grids.get(name.removesuffix(".running_var"), SIDE) ** 2
            kept = 0.9**3 * weights[0][name]
            expected = kept + (value - kept) * (n - 1) / n
        np.testing.assert_allclose(
            weights[-1][name], expected, rtol=1e-4, atol=1e-4, err_msg=name
        )


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns(method, network_for):
    model = network_for(method)
    y = np.arange(32) % NUM_CLASSES
    # Each class is bright in a column of its own.
    x = 0.1 * images(32, (SIDE, SIDE, 3))
    x[np.arange(32), :, y] += 1.0
    pairs = mixed_pair_dataset(
        x, y, model.mask_sampler(method), epochs=6, batch_size=BATCH
    )
    before, losses = penalty(model), []
    for epoch in range(pairs.epochs):
        model.reset_metrics()
        for i in range(len(pairs)):
            loss = model.train_on_batch(*pairs.batch(epoch, i))
        losses.append(float(loss))
    change = abs(penalty(model) - before)
    assert losses[-1] + change < 0.9 * losses[0]
