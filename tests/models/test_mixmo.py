"""The networks of MixMo against ones composed by hand, and its loss weights."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit import MixMo
from tests.helpers import (
    EAGERLY,
    LOSS,
    gradients,
    images,
    numpy,
    set_weights,
)
from tests.layers.compiled import call, compiled
from tests.models.mixmo_models import model_of, pair, tiny_wide
from tests.models.test_precision import half_supported


def by_hand(model, grid):
    """Logits `(B, heads, K)` of what the body is given."""
    features = model.trunk(model.body(grid))
    heads = [
        ops.matmul(features, model.heads.kernel[m]) + model.heads.bias[m]
        for m in range(model.heads.num_subnetworks)
    ]
    return ops.stack(heads, axis=1)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    ("backbone", "members"), [("wide", 2), ("wide", 3), ("convit", 3), ("cait", 2)]
)
def test_training_mixes_the_stems_times_m(backbone, members):
    model = model_of(backbone, members)
    assert len({id(stem) for stem in model.stems}) == members

    def both(x, masks):
        grids = [model.stems[m](x[:, m]) for m in range(members)]
        mixed = ops.einsum("mbhwd,bmhw->bhwd", ops.stack(grids), masks)
        actual = model({"images": x, "masks": masks}, training=False)
        return actual, by_hand(model, members * mixed)

    actual, expected = map(numpy, compiled(both)(*pair(model).values()))
    assert actual.shape == (3, members, 5)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("backbone", "member"), [("wide", 0), ("convit", 2)])
def test_one_hot_masks_show_one_input_only(backbone, member):
    model = model_of(backbone, 3)
    inputs = pair(model)
    inputs["masks"] = np.zeros_like(inputs["masks"])
    inputs["masks"][:, member] = 1
    others = {**inputs, "images": images(3, (3, 8, 12, 3), seed=7)}
    others["images"][:, member] = inputs["images"][:, member]

    def all_three(x, y, masks):
        grid = 3 * model.stems[member](x[:, member])
        mixed = [model({"images": i, "masks": masks}) for i in (x, y)]
        return *mixed, by_hand(model, grid)

    results = compiled(all_three)(inputs["images"], others["images"], inputs["masks"])
    actual, changed, expected = map(numpy, results)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(changed, actual, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("backbone", "num_stems"), [("wide", None), ("wide", 1), ("convit", None)]
)
def test_sum_inference_runs_on_the_sum_of_the_stems(backbone, num_stems):
    model = model_of(backbone, num_stems=num_stems)

    def both(x):
        grid = model.stems[0](x) + model.stems[-1](x)
        return model.inference_network(x), by_hand(model, grid), model(x)

    actual, expected, ensemble = map(numpy, compiled(both)(images(3)))
    assert actual.shape == (3, 2, 5)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ensemble, expected.mean(1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backbone", ["wide", "convit"])
def test_every_pass_of_parallel_inference_sees_m_times_its_stem(backbone):
    model = model_of(backbone, inference="parallel")
    first, second = (
        MixMo.from_config({**model.get_config(), "inference": m}) for m in range(2)
    )
    for single in (first, second):
        single.set_weights(model.get_weights())

    def everything(x):
        passes = [
            by_hand(model, 2 * stem(x))[:, m] for m, stem in enumerate(model.stems)
        ]
        return (
            model.inference_network(x),
            ops.stack(passes, axis=1),
            first.inference_network(x),
            second.inference_network(x),
            second(x),
        )

    parallel, expected, zero, one, ensemble = map(
        numpy, compiled(everything)(images(3))
    )
    np.testing.assert_allclose(parallel, expected, rtol=1e-4, atol=1e-5)
    assert zero.shape == one.shape == (3, 1, 5)
    np.testing.assert_allclose(zero, parallel[:, :1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one, parallel[:, 1:], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ensemble, parallel[:, 1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("num_stems", [None, 1])
def test_only_two_stems_tell_the_inputs_apart(num_stems):
    model = model_of(num_stems=num_stems)
    assert model.stems[0] is model.backbone.stem
    assert len(model.stems) == (num_stems or 2)
    inputs = pair(model)
    swapped = {name: x[:, ::-1].copy() for name, x in inputs.items()}
    straight, swapped = map(
        numpy, compiled(lambda *both: [model(one) for one in both])(inputs, swapped)
    )
    difference = np.abs(straight - swapped).max()
    assert difference < 1e-5 if num_stems else difference > 1e-2


@pytest.mark.parametrize("num_stems", [None, 1])
def test_one_head_predicts_the_interpolated_label(num_stems):
    model = model_of("wide", 3, num_classifiers=1, num_stems=num_stems)
    model.compile("sgd", LOSS, **EAGERLY)
    inputs = pair(model, 4)
    inputs["masks"][0] = np.array([1.0, 0.0, 0.0])[:, None, None]
    y = np.array([[0, 1, 2], [2, 3, 4], [4, 4, 0], [1, 1, 1]])
    logits = numpy(call(model, inputs))
    assert logits.shape == (4, 3, 5)
    assert (logits == logits[:, :1]).all()
    assert model.inference_network.output.shape == (None, 1, 5)
    assert model.heads.kernel.shape[0] == 1
    shares = inputs["masks"].mean(axis=(2, 3))
    label = np.einsum("bm,bmk->bk", shares, np.eye(5)[y])
    expected = -(label * np.log(softmax(logits[:, 0].astype("float64")))).sum(1).mean()
    loss = float(model.test_on_batch(inputs, y))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("inference", ["sum", "parallel", 1])
def test_shapes_are_told_before_a_call(inference):
    model = model_of("convit", 3, inference=inference)
    shapes = {"images": (7, 3, 8, 12, 3), "masks": (7, 3, 2, 3)}
    members = 1 if inference == 1 else 3
    assert model.compute_output_shape((7, 8, 12, 3)) == (7, 5)
    assert model.compute_output_shape(shapes) == (7, 3, 5)
    images_only = {"images": (7, 8, 12, 3)}
    assert model.compute_output_shape(images_only) == (7, members, 5)


@pytest.mark.parametrize(("backbone", "members"), [("wide", 3), ("convit", 2)])
def test_every_parameter_has_a_gradient(backbone, members):
    model = model_of(backbone, members)
    inputs = pair(model)

    def loss(x):
        logits = model({"images": x, "masks": inputs["masks"]}, training=True)
        return ops.sum(logits**2 * ops.arange(1, 6, dtype="float32"))

    weights, (image_gradient,) = gradients(loss, model, [inputs["images"]])
    assert all(gradient is not None for gradient in weights)
    found = dict(zip(map(id, model.trainable_variables), weights, strict=True))
    kernels = [stem.trainable_variables[0] for stem in model.stems]
    largest = [np.abs(found[id(kernel)]).max() for kernel in kernels]
    largest += list(np.abs(found[id(model.heads.kernel)]).max(axis=(1, 2)))
    assert len(largest) == 2 * members
    assert min(largest) > 1e-6
    if backbone == "wide":
        # Transformers have biases that softmax does not feel.
        assert all(np.abs(gradient).max() > 1e-6 for gradient in weights)
    assert (np.abs(image_gradient).max(axis=(0, 2, 3, 4)) > 1e-6).all()


def test_the_ensemble_can_average_probabilities():
    model = model_of("wide", 3, ensemble_of="probabilities")
    logits, ensemble = map(
        numpy, compiled(lambda x: (model.inference_network(x), model(x)))(images(3))
    )
    expected = softmax(logits).mean(axis=1)
    assert np.abs(expected - softmax(logits.mean(axis=1))).max() > 1e-4
    np.testing.assert_allclose(softmax(ensemble), expected, atol=1e-6)


def test_attention_maps_are_those_of_the_passes():
    x, config = images(3), model_of("convit").get_config()
    maps = {}
    for inference in ("sum", "parallel", 1):
        model = MixMo.from_config({**config, "inference": inference})
        set_weights(model, scale=0.5)
        maps[inference] = model.attention_maps(x)
    assert list(maps["sum"]) == ["block_0", "class_block_0"]
    assert maps["sum"]["block_0"].shape == (3, 1, 4, 6, 6)
    assert maps["parallel"]["block_0"].shape == (3, 2, 4, 6, 6)
    assert maps["parallel"]["class_block_0"].shape == (3, 2, 4, 7)
    for block, both in maps["parallel"].items():
        np.testing.assert_allclose(both.sum(-1), 1, rtol=1e-5)
        np.testing.assert_allclose(both[:, 1:], maps[1][block], atol=1e-5)
        assert np.abs(both[:, :1] - both[:, 1:]).max() > 1e-3
        assert np.abs(both[:, :1] - maps["sum"][block]).max() > 1e-3


def test_convolutional_networks_have_no_attention_maps():
    with pytest.raises(ValueError, match="`backbone` must have attention"):
        model_of().attention_maps(images(2))


def test_half_precision_is_close_to_single_precision():
    if not half_supported("bfloat16"):
        pytest.skip("this machine has no bfloat16 products")
    full = MixMo(tiny_wide(), 5)
    half = MixMo(tiny_wide(dtype="mixed_bfloat16"), 5)
    half.set_weights(full.get_weights())
    inputs = pair(full, 8)

    def forward(x, masks):
        pairs = {"images": x, "masks": masks}
        return [model(pairs, training=True) for model in (full, half)]

    expected, actual = compiled(forward)(*inputs.values())
    assert keras.backend.standardize_dtype(actual.dtype) == "float32"
    difference = np.linalg.norm(numpy(actual) - numpy(expected))
    assert 0 < difference <= 3e-2 * np.linalg.norm(numpy(expected))
