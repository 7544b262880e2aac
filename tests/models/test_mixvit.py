"""Every arrangement of the paper against one written by hand."""

import numpy as np
import pytest
from keras import ops

from keras_mixvit import MixViT, SingleNetwork, mixed_pair_dataset
from keras_mixvit.backbones import CaiT, ConViT
from keras_mixvit.masks import ConstantMasks, PatchCutMix
from tests.helpers import (
    LOSS,
    images,
    numpy,
    one_hot_masks,
    set_weights,
    tiny_cait,
    tiny_convit,
)

PARTS = ("stem", "position", "blocks", "trunk", "heads")


def model_of(backbone=tiny_convit, members=2, **options):
    model = MixViT(backbone(), 5, members, **options)
    set_weights(model)
    return model


def source(model, m):
    """Source m as a function of a grid, Eq. 2 or Eq. 3, in NumPy."""
    if model.source_attribution == "embedding":
        vector = numpy(model.attribution.embedding)[m]
        return lambda t: t + vector
    kernel, bias = (numpy(w)[m] for w in model.attribution.trainable_variables)
    return lambda t: t + t @ kernel + bias


def head(model, m, features):
    kernel, bias = (numpy(w)[m] for w in model.heads.trainable_variables)
    return features @ kernel + bias


def after(model, grid):
    """Features of an attributed grid."""
    if model.attribution_position == "early":
        grid = model.backbone.apply_blocks(ops.convert_to_tensor(grid))
    return numpy(model.trunk(grid))


def before(model, x):
    """The grid that attribution sees."""
    grid = model.stem(x)
    if model.attribution_position == "late":
        return numpy(model.body(grid))
    return numpy(model.backbone.apply_position(grid))


@pytest.fixture(params=["embedding-late", "encoding-late", "encoding-early"])
def attribution(request):
    kind, position = request.param.split("-")
    return {"source_attribution": kind, "attribution_position": position}


@pytest.mark.parametrize("backbone", [tiny_convit, tiny_cait])
def test_parallel_inference_runs_the_trunk_per_source(backbone, attribution):
    model = model_of(backbone, 3, **attribution)
    x = images(3)
    grid = before(model, x)
    expected = [head(model, m, after(model, source(model, m)(grid))) for m in range(3)]
    actual = numpy(model.inference_network(x))
    np.testing.assert_allclose(actual, np.stack(expected, 1), atol=1e-4)
    np.testing.assert_allclose(numpy(model(x)), np.mean(expected, 0), atol=1e-4)


def test_sum_inference_adds_the_attributed_versions(attribution):
    model = model_of(inference="sum", **attribution)
    x = images(3)
    grid = before(model, x)
    features = after(model, sum(source(model, m)(grid) for m in range(2)))
    expected = np.stack([head(model, m, features) for m in range(2)], 1)
    np.testing.assert_allclose(numpy(model.inference_network(x)), expected, atol=1e-4)


@pytest.mark.parametrize("alternation", ["random", "checkerboard"])
def test_alternating_inference_gives_each_place_one_source(alternation, attribution):
    model = model_of(inference="alternating", alternation=alternation, **attribution)
    x = images(3)
    grid = before(model, x)
    pattern = model.alternating_masks()
    assert pattern.shape == (2, 2, 3)
    assert (pattern.sum(0) == 1).all()
    mixed = sum(pattern[m][..., None] * source(model, m)(grid) for m in range(2))
    features = after(model, mixed.astype("float32"))
    expected = np.stack([head(model, m, features) for m in range(2)], 1)
    np.testing.assert_allclose(numpy(model.inference_network(x)), expected, atol=1e-4)


def test_alternating_patterns_come_from_the_seed():
    options = {"image_shape": (32, 32, 3), "num_blocks": 1, "num_class_blocks": 1}
    patterns = [
        model_of(
            lambda: tiny_convit(**options), inference="alternating", seed=seed
        ).alternating_masks()
        for seed in (0, 0, 1)
    ]
    assert (patterns[0] == patterns[1]).all()
    assert (patterns[0] != patterns[2]).any()
    board = model_of(inference="alternating", alternation="checkerboard")
    assert board.alternating_masks()[1].tolist() == [[0, 1, 0], [1, 0, 1]]


@pytest.mark.parametrize("member", [0, 1])
def test_single_subnetwork_inference_uses_its_source_and_head(member, attribution):
    model = model_of(inference=member, **attribution)
    x = images(3)
    features = after(model, source(model, member)(before(model, x)))
    expected = head(model, member, features)
    actual = numpy(model.inference_network(x))
    assert actual.shape == (3, 1, 5)
    np.testing.assert_allclose(actual[:, 0], expected, atol=1e-4)
    np.testing.assert_allclose(numpy(model(x)), expected, atol=1e-4)


def test_no_attribution_is_one_pass_with_m_heads():
    model = model_of(source_attribution=None)
    x = images(3)
    features = numpy(model.backbone(x))
    expected = np.stack([head(model, m, features) for m in range(2)], 1)
    np.testing.assert_allclose(numpy(model.inference_network(x)), expected, atol=1e-4)


def test_training_mixes_attributes_and_runs_the_trunk_once(attribution):
    model = model_of(members=3, **attribution)
    x = np.stack([images(2, seed=m) for m in range(3)], 1)
    masks = one_hot_masks(2, 3)
    pixels = masks.repeat(4, 2).repeat(4, 3)[..., None]
    grid = before(model, (x * pixels).sum(1))
    mixed = sum(masks[:, m, ..., None] * source(model, m)(grid) for m in range(3))
    features = after(model, mixed.astype("float32"))
    expected = np.stack([head(model, m, features) for m in range(3)], 1)
    actual = numpy(model({"images": x, "masks": masks}))
    np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_averaged_masks_blend_patches():
    model = model_of(input_mixing="averaged_masks")
    x = np.stack([images(2, seed=m) for m in range(2)], 1)
    first = np.random.default_rng(0).random((2, 2, 3)).astype("float32")
    masks = np.stack([first, 1 - first], 1)
    mixed = (x * masks.repeat(4, 2).repeat(4, 3)[..., None]).sum(1)
    grid = before(model, mixed)
    sourced = sum(masks[:, m, ..., None] * source(model, m)(grid) for m in range(2))
    features = after(model, sourced.astype("float32"))
    expected = np.stack([head(model, m, features) for m in range(2)], 1)
    actual = numpy(model({"images": x, "masks": masks}))
    np.testing.assert_allclose(actual, expected, atol=1e-4)
    assert not model.mask_sampler().binarize


@pytest.mark.parametrize("backbone", [tiny_convit, tiny_cait])
def test_all_tokens_sees_every_grid_at_its_place(backbone, attribution):
    model = model_of(backbone, 3, input_mixing="all_tokens", **attribution)
    x = np.stack([images(2, seed=m) for m in range(3)], 1)
    grids = [
        numpy(model.backbone.apply_position(model.stem(x[:, m]))) for m in range(3)
    ]

    def attributed(grids):
        return [
            source(model, m)(grid).astype("float32") for m, grid in enumerate(grids)
        ]

    early = model.attribution_position == "early"
    grids = attributed(grids) if early else grids
    stack = model.backbone.apply_blocks(np.concatenate(grids, axis=1))
    if not early:
        parts = np.split(numpy(stack), 3, axis=1)
        stack = np.concatenate(attributed(parts), axis=1)
    features = numpy(model.backbone.apply_trunk(ops.convert_to_tensor(stack)))
    expected = np.stack([head(model, m, features) for m in range(3)], 1)
    masks = np.full((2, 3, 2, 3), 1 / 3, "float32")
    actual = numpy(model({"images": x, "masks": masks}))
    np.testing.assert_allclose(actual, expected, atol=1e-4)
    copies = np.repeat(x[:, :1], 3, axis=1)
    np.testing.assert_allclose(
        numpy(model.inference_network(x[:, 0])),
        numpy(model({"images": copies, "masks": masks})),
        atol=1e-5,
    )
    assert model.mask_sampler() == ConstantMasks(4, 3)


def test_parameter_counts_are_the_papers():
    assert SingleNetwork(ConViT(), 100).count_params() == 12_496_528
    assert MixViT(ConViT(), 100).count_params() == 12_535_796
    encoding = MixViT(ConViT(), 100, source_attribution="encoding")
    assert encoding.count_params() == 12_830_708
    tiny = ConViT((64, 64, 3), 8)
    assert SingleNetwork(tiny, 200).count_params() == 12_590_324


@pytest.mark.parametrize(
    ("image_shape", "patch_size", "classes", "options", "parameters"),
    [
        ((224, 224, 3), 16, 1000, {}, 11_956_264),
        ((32, 32, 3), 4, 100, {"width": 288, "num_heads": 6}, 26_055_172),
        ((64, 64, 3), 8, 200, {"width": 384, "num_heads": 8}, 46_336_328),
    ],
)
def test_cait_parameter_counts_are_the_published(
    image_shape, patch_size, classes, options, parameters
):
    single = SingleNetwork(CaiT(image_shape, patch_size, **options), classes)
    assert single.count_params() == parameters


def test_summary_lists_each_stage_once(capsys):
    model_of().summary()
    text = capsys.readouterr().out
    for part in ("mixing", "stem", "body", "source_embedding", "trunk", "heads"):
        assert text.count(f" {part} ") == 1


def test_default_sampler_is_the_papers():
    model = model_of(members=3)
    assert model.mask_sampler() == PatchCutMix(4, num_subnetworks=3, alpha=0.5)


ERRORS = [
    ({"backbone": "convit"}, "`backbone` must be a `Backbone`. Received: backbone="),
    ({"num_subnetworks": 1}, "`num_subnetworks` must be an integer of at least 2."),
    ({"num_classes": 0}, "`num_classes` must be an integer of at least 1. Received:"),
    ({"source_attribution": "both"}, "`source_attribution` must be one of"),
    ({"attribution_position": "mid"}, "`attribution_position` must be one of"),
    ({"input_mixing": "mixup"}, "`input_mixing` must be one of"),
    ({"alternation": "stripes"}, "`alternation` must be one of"),
    ({"ensemble_of": "votes"}, "`ensemble_of` must be one of"),
    ({"seed": -1}, "`seed` must be an integer of at least 0. Received: seed=-1"),
    ({"inference": 2}, "index of a subnetwork, 0 to 1. Received: inference=2"),
    ({"inference": "mean"}, "`inference` must be 'parallel', 'sum', 'alternating'"),
    (
        {"inference": "sum", "input_mixing": "all_tokens"},
        "`inference` must be 'parallel' with `input_mixing='all_tokens'`",
    ),
    (
        {"inference": "sum", "source_attribution": None},
        "`inference` must be 'parallel' or an index without source attribution",
    ),
]


@pytest.mark.parametrize(("changes", "message"), ERRORS)
def test_bad_arguments_are_told_in_one_sentence(changes, message):
    arguments = {"backbone": tiny_convit(), "num_classes": 5, **changes}
    with pytest.raises(ValueError) as error:  # noqa: PT011
        MixViT(**arguments)
    assert message in str(error.value)
    assert "Received: " in str(error.value)


def test_ensemble_is_a_functional_classifier_with_the_same_weights():
    model = model_of()
    ensemble = model.ensemble()
    x = images(3)
    np.testing.assert_allclose(numpy(ensemble(x)), numpy(model(x)), atol=1e-5)
    model.heads.bias.assign(model.heads.bias + 1)
    np.testing.assert_allclose(numpy(ensemble(x)), numpy(model(x)), atol=1e-5)


def test_pairs_of_another_model_are_refused():
    model = model_of(members=3)
    model.compile("sgd", LOSS)
    x, y = images(4), np.arange(4)
    with pytest.raises(ValueError, match=r"`x` must have masks of shape \(3, 2, 3\)"):
        model.fit(mixed_pair_dataset(x, y, PatchCutMix(4), epochs=1, batch_size=4))
