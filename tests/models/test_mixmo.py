"""The networks of MixMo against ones composed by hand, and its loss weights."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit import MixMo, load_model, mixed_pair_dataset
from keras_mixvit.backbones import WideResNet
from keras_mixvit.masks import (
    BinaryOrLinear,
    ConstantMasks,
    CutMixMasks,
    LinearMasks,
    PatchCutMix,
)
from tests.helpers import (
    EAGERLY,
    LOSS,
    gradients,
    images,
    numpy,
    set_weights,
    tiny_cait,
    tiny_convit,
)
from tests.layers.compiled import call, compiled
from tests.models.test_precision import half_supported


def tiny_wide(**changes):
    return WideResNet((8, 12, 3), depth=10, widening=1, **changes)


ONE_BLOCK = {"num_blocks": 1, "num_class_blocks": 1}
BACKBONES = {
    "wide": tiny_wide,
    "convit": partial(tiny_convit, **ONE_BLOCK),
    "cait": partial(tiny_cait, **ONE_BLOCK),
}


def model_of(backbone="wide", members=2, **options):
    model = MixMo(BACKBONES[backbone](), 5, members, **options)
    set_weights(model, scale=0.2)
    return model


def pair(model, batch=3, seed=0):
    """Images and masks of drawn shares, as tensors of a mixed pair."""
    members = model.num_subnetworks
    shape = model.training_network.input["masks"].shape[2:]
    shares = np.random.default_rng(seed).random((batch, members, *shape))
    masks = (shares / shares.sum(axis=1, keepdims=True)).astype("float32")
    x = np.stack([images(batch, seed=seed + m) for m in range(members)], axis=1)
    return {"images": x, "masks": masks}


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


SHARES = {
    2: [[0.5, 0.5], [0.9, 0.1], [1.0, 0.0], [0.0, 1.0], [1e-6, 1 - 1e-6]],
    3: [[1 / 3, 1 / 3, 1 / 3], [0.7, 0.2, 0.1], [0.6, 0.4, 0.0], [0.0, 0.0, 1.0]],
}


@pytest.mark.parametrize("members", [2, 3])
@pytest.mark.parametrize("r", [1, 3, 10, float("inf")])
def test_loss_weights_are_equation_5_times_m(r, members):
    ratios = np.array(SHARES[members])
    # A limit, but for shares of 0, which NumPy's 0 ** 0 of 1 settles.
    powers = ratios ** (0.0 if r == float("inf") else 1 / r)
    expected = members * powers / powers.sum(axis=1, keepdims=True)
    model = model_of("convit", members, r=r)
    found = numpy(compiled(model.loss_weights)(ratios.astype("float32")))
    # Keras divides by B and M, the paper by B alone.
    np.testing.assert_allclose(found / members, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), members**2, rtol=1e-6)


@pytest.mark.parametrize("members", [2, 3])
def test_masks_of_mimo_weigh_all_losses_alike(members):
    model = model_of("convit", members, r=1.0)
    masks = model.mask_sampler("mimo").draw(np.random.default_rng(0), 4, (8, 12))
    weights = numpy(compiled(model.loss_weights)(masks.mean(axis=(2, 3))))
    np.testing.assert_allclose(weights, np.full((4, members), members), rtol=1e-6)


@pytest.mark.parametrize("members", [2, 3])
def test_one_head_weighs_labels_by_their_shares_whatever_r(members):
    model = model_of("convit", members, r=3.0, num_classifiers=1)
    ratios = np.array(SHARES[members], "float32")
    weights = numpy(compiled(model.loss_weights)(ratios))
    np.testing.assert_allclose(weights, members * ratios, rtol=1e-6)


def test_the_input_in_the_box_weighs_less_on_average():
    model, rng = model_of("convit", r=3.0), np.random.default_rng(0)
    weights = []
    for _ in range(10):
        ratios = CutMixMasks().draw(rng, 1000, (32, 32)).mean(axis=(2, 3))
        # One input owns the boxes of a batch, which cover 0.307 of a grid.
        ratios = ratios[:, ratios.mean(axis=0).argsort()]
        weights.append(numpy(model.loss_weights(ops.convert_to_tensor(ratios))) / 2)
    mean = np.concatenate(weights).mean(axis=0)
    np.testing.assert_allclose(mean, [0.847, 1.153], atol=5e-3)


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


@pytest.mark.parametrize(("backbone", "size"), [("wide", 1), ("convit", 4)])
def test_mimo_and_linear_masks_are_constant(backbone, size):
    model = model_of(backbone, 3)
    assert model.mask_sampler("mimo") == ConstantMasks(size, 3)
    assert model.mask_sampler("linear_mixmo") == LinearMasks(size, 3, alpha=2.0)
    linear = model.mask_sampler("linear_mixmo", alpha=0.5)
    assert linear == LinearMasks(size, 3, alpha=0.5)


def test_cut_mixmo_draws_boxes_on_the_grid_of_a_convolutional_network():
    model = model_of("wide", 3)
    assert model.mask_sampler() == BinaryOrLinear(
        CutMixMasks(1, 3, 2.0, "dirichlet"), LinearMasks(1, 3, 2.0), 0.5
    )
    changed = model.mask_sampler(alpha=1.0, probability=0.25, mixing="two")
    assert changed == BinaryOrLinear(
        CutMixMasks(1, 3, 1.0, "two"), LinearMasks(1, 3, 1.0), 0.25
    )
    masks = model.mask_sampler(probability=1.0).draw(
        np.random.default_rng(0), 4, (8, 12)
    )
    assert masks.shape[1:] == model.training_network.input["masks"].shape[1:]


def test_cut_mixmo_decides_whole_patches_of_a_transformer():
    model = model_of("convit", 3)
    assert model.mask_sampler() == BinaryOrLinear(
        PatchCutMix(4, 3, alpha=2.0, single_source_ramp=False),
        LinearMasks(4, 3, 2.0),
        0.5,
    )
    binary = model.mask_sampler(probability=1.0)
    # With a ramp every mask of the last epoch but these would be all ones.
    masks = binary.binary.draw(np.random.default_rng(0), 64, (8, 12), progress=1.0)
    assert set(np.unique(masks)) == {0.0, 1.0}
    assert (masks.mean(axis=(2, 3)).max(axis=1) < 1).any()


@pytest.mark.parametrize(
    "options",
    [
        {"r": float("inf"), "inference": "parallel"},
        {"r": 0.5, "num_stems": 1, "inference": 2, "num_subnetworks": 3},
        {"num_classifiers": 1, "num_stems": 2, "name": "one_head"},
        {"ensemble_of": "probabilities", "num_stems": 1, "num_classifiers": 1},
    ],
)
@pytest.mark.parametrize("backbone", ["wide", "convit"])
def test_round_trip_keeps_every_arrangement(options, backbone, tmp_path):
    changes = {"l2": 1e-3, "mean": 0.5} if backbone == "wide" else {"mean": 0.5}
    model = MixMo(BACKBONES[backbone](**changes), 5, **options)
    set_weights(model, scale=0.2)
    for variable in model.non_trainable_variables:
        if "moving" in variable.path:
            variable.assign(np.linspace(0.5, 1.5, variable.shape[0]))
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    config = model.get_config()
    assert {name: config[name] for name in options} == options
    assert loaded.get_config() == config
    for a, b in zip(model.variables, loaded.variables, strict=True):
        assert a.path == b.path
        np.testing.assert_array_equal(numpy(a), numpy(b))
    if backbone == "wide":
        both = compiled(lambda x: (model(x), loaded(x)))(images(3))
        np.testing.assert_allclose(*map(numpy, both), rtol=1e-5, atol=1e-6)


ERRORS = {
    "r 0": ({"r": 0}, r"`r` must be positive\. Received: r=0"),
    "r negative": ({"r": -3.0}, r"`r` must be positive\. Received: r=-3\.0"),
    "r NaN": ({"r": float("nan")}, "`r` must be positive"),
    "stems": ({"num_stems": 3}, r"`num_stems` must be .*1.*2.*None"),
    "heads": ({"num_classifiers": 3}, r"`num_classifiers` must be .*1.*2.*None"),
    "one subnetwork": ({"num_subnetworks": 1}, "`num_subnetworks` must be .* 2"),
    "inference": ({"inference": "mean"}, "`inference` must be 'sum', 'parallel' or"),
    "index": ({"inference": 2}, r"index of a subnetwork, 0 to 1\. Received: .*=2"),
    "negative index": ({"inference": -1}, r"index of a subnetwork, 0 to 1\."),
    "parallel, one head": (
        {"inference": "parallel", "num_classifiers": 1},
        "`inference` must be 'sum' with one head",
    ),
    "index, one head": (
        {"inference": 0, "num_classifiers": 1},
        "`inference` must be 'sum' with one head",
    ),
    "ensemble": ({"ensemble_of": "votes"}, "`ensemble_of` must be"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_arguments_out_of_range_are_told(case):
    options, text = ERRORS[case]
    with pytest.raises(ValueError, match=text):
        MixMo(tiny_convit(**ONE_BLOCK), 5, **options)


def test_unknown_methods_and_backbones_are_told():
    with pytest.raises(ValueError, match=r"`method` must be .*'cut_mixmo'.*cutmix"):
        model_of("convit").mask_sampler("cutmix")
    with pytest.raises(ValueError, match="`mixing` must be"):
        model_of().mask_sampler(mixing="three")
    with pytest.raises(ValueError, match="`backbone` must be a `Backbone`"):
        MixMo(keras.Sequential(), 5)


def test_masks_on_another_grid_are_refused():
    model = model_of()
    model.compile("sgd", LOSS)
    x, y = images(8), np.arange(8) % 5
    pairs = mixed_pair_dataset(x, y, CutMixMasks(2), epochs=1, batch_size=4)
    text = r"`x` must have masks of shape \(2, 8, 12\), \(M, h, w\)\. .*\(2, 4, 6\)"
    with pytest.raises(ValueError, match=text):
        model.fit(pairs, verbose=0)
    inputs = pair(model, 8)
    inputs["masks"] = inputs["masks"][:, :, :4]
    with pytest.raises(ValueError, match=r"`masks` must have shape \(8, 2, 8, 12\)"):
        model.fit(inputs, np.zeros((8, 2), int), verbose=0)
    inputs = pair(model, 8)
    with pytest.raises(ValueError, match="sum to 1 over the subnetworks"):
        model.fit({**inputs, "masks": inputs["masks"] / 2}, np.zeros((8, 2), int))


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


@pytest.mark.parametrize("backbone", ["wide", "convit"])
def test_every_variable_has_a_name_of_its_own(backbone):
    paths = [variable.path for variable in model_of(backbone, 3).variables]
    # On PyTorch, Keras resets gradients by name, one per name.
    assert len(set(paths)) == len(paths)
