"""Every arrangement of a ViT: sources belong to patches, not to prefix tokens."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit import (
    ManifoldMixUp,
    MixMo,
    MixViT,
    SingleNetwork,
    load_model,
    mixed_pair_dataset,
)
from keras_mixvit.data import ManifoldMixing
from keras_mixvit.models._attention_maps import attention_network
from tests.helpers import EAGERLY, images, numpy, one_hot_masks, set_weights, tiny_vit
from tests.layers.compiled import compiled

POOLINGS = pytest.mark.parametrize("pooling", ["token", "average"])
ARRANGEMENTS = pytest.mark.parametrize(
    ("kind", "position"),
    [("embedding", "late"), ("encoding", "late"), ("embedding", "early")],
)


def model_of(members, pooling="token", **options):
    backbone = tiny_vit(num_blocks=1, num_class_blocks=2, pooling=pooling)
    model = MixViT(backbone, 5, members, **options)
    set_weights(model)
    return model


def arrangement(kind, position):
    return {"source_attribution": kind, "attribution_position": position}


def source(model, m, grid):
    """A grid with source m, Eq. 2 or Eq. 3."""
    if model.source_attribution == "embedding":
        return grid + ops.convert_to_tensor(model.attribution.embedding)[m]
    kernel = ops.convert_to_tensor(model.attribution.kernel)[m]
    return grid + ops.matmul(grid, kernel) + model.attribution.bias[m]


def before(model, pixels):
    grid = model.stem(pixels)
    if model.attribution_position == "late":
        return model.body(grid)
    return model.backbone.apply_position(grid)


def logits_after(model, grid, prefix, heads):
    """Logits `(B, len(heads), K)` of attributed grids and prefix tokens."""
    features = [grid, prefix]
    if model.attribution_position == "early":
        features = model.backbone.apply_blocks(features)
    features = model.trunk(features)
    kernel, bias = map(ops.convert_to_tensor, model.heads.trainable_variables)
    logits = [ops.matmul(features, kernel[m]) + bias[m] for m in heads]
    return ops.stack(logits, axis=1)


def assert_equal(found, expected):
    np.testing.assert_allclose(numpy(found), numpy(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "position", "members", "pooling"),
    [
        ("embedding", "late", 2, "token"),
        ("encoding", "late", 8, "token"),
        ("embedding", "early", 2, "average"),
        ("embedding", "late", 8, "average"),
    ],
)
def test_parallel_inference_runs_the_trunk_per_source(kind, position, members, pooling):
    model = model_of(members, pooling, **arrangement(kind, position))

    def by_hand(pixels):
        grid, prefix = before(model, pixels)
        logits = [
            logits_after(model, source(model, m, grid), prefix, [m])
            for m in range(members)
        ]
        return model.inference_network(pixels), ops.concatenate(logits, axis=1)

    assert_equal(*compiled(by_hand)(images(3)))


@ARRANGEMENTS
@pytest.mark.parametrize("inference", ["sum", "alternating", 1])
def test_other_schemes_leave_prefix_tokens_as_they_are(kind, position, inference):
    model = model_of(2, inference=inference, **arrangement(kind, position))
    pattern = model.alternating_masks()

    def by_hand(pixels):
        grid, prefix = before(model, pixels)
        versions = [source(model, m, grid) for m in range(2)]
        if inference == "sum":
            grid = sum(versions)
        elif inference == "alternating":
            shares = ops.convert_to_tensor(pattern[..., None])
            grid = sum(shares[m] * versions[m] for m in range(2))
        else:
            grid = versions[1]
        heads = [1] if inference == 1 else [0, 1]
        expected = logits_after(model, grid, prefix, heads)
        return model.inference_network(pixels), expected

    assert_equal(*compiled(by_hand)(images(3)))


@ARRANGEMENTS
def test_training_gives_each_patch_its_source(kind, position):
    model = model_of(3, **arrangement(kind, position))
    x = np.stack([images(2, seed=m) for m in range(3)], 1)
    masks = one_hot_masks(2, 3)

    def by_hand(x, masks):
        x, masks = map(ops.convert_to_tensor, (x, masks))
        pixels = ops.repeat(ops.repeat(masks, 4, axis=2), 4, axis=3)[..., None]
        grid, prefix = before(model, ops.sum(x * pixels, axis=1))
        grid = sum(masks[:, m, ..., None] * source(model, m, grid) for m in range(3))
        expected = logits_after(model, grid, prefix, range(3))
        return model({"images": x, "masks": masks}), expected

    assert_equal(*compiled(by_hand)(x, masks))


@pytest.mark.parametrize(
    ("kind", "position", "pooling"),
    [("embedding", "late", "average"), ("encoding", "early", "token")],
)
def test_on_all_tokens_one_set_of_prefix_tokens_reads_all_grids(
    kind, position, pooling
):
    options = {"input_mixing": "all_tokens", **arrangement(kind, position)}
    model = model_of(3, pooling, **options)
    backbone = model.backbone
    x = np.stack([images(2, seed=m) for m in range(3)], 1)
    masks = np.full((2, 3, 2, 3), 1 / 3, "float32")

    def by_hand(x, masks):
        features = [backbone.apply_position(model.stem(x[:, m])) for m in range(3)]
        grids, prefix = [grid for grid, _ in features], features[0][1]
        if position == "early":
            grids = [source(model, m, grid) for m, grid in enumerate(grids)]
        stack = [ops.concatenate(grids, axis=1), prefix]
        grid, prefix = backbone.apply_blocks(stack)
        if position == "late":
            grids = [source(model, m, grid[:, 2 * m : 2 * m + 2]) for m in range(3)]
            grid = ops.concatenate(grids, axis=1)
        features = backbone.apply_trunk([grid, prefix])
        kernel, bias = map(ops.convert_to_tensor, model.heads.trainable_variables)
        expected = [ops.matmul(features, kernel[m]) + bias[m] for m in range(3)]
        found = model({"images": x, "masks": masks})
        return found, ops.stack(expected, axis=1)

    assert_equal(*compiled(by_hand)(x, masks))


def test_without_sources_subnetworks_are_one_pass():
    model = model_of(2, source_attribution=None)
    x = images(2)
    kernel, bias = (numpy(w) for w in model.heads.trainable_variables)
    features = numpy(model.backbone(x))
    expected = np.stack([features @ kernel[m] + bias[m] for m in range(2)], 1)
    assert_equal(model.inference_network(x), expected)


@POOLINGS
@pytest.mark.parametrize(
    ("options", "of_body", "of_trunk", "patches"),
    [
        ({}, 1, 3, 6),
        ({"attribution_position": "early"}, 3, 3, 6),
        ({"inference": "sum"}, 1, 1, 6),
        ({"input_mixing": "all_tokens"}, 1, 1, 18),
    ],
)
def test_maps_begin_with_prefix_tokens(options, of_body, of_trunk, patches, pooling):
    network = attention_network(model_of(3, pooling, **options), None)
    maps = network.compute_output_spec(keras.KerasTensor((2, 8, 12, 3)))
    tokens = 3 + patches
    last = (tokens,) if pooling == "token" else (tokens, tokens)
    assert {name: tuple(spec.shape) for name, spec in maps.items()} == {
        "block_0": (2 * of_body, 4, tokens, tokens),
        "class_block_0": (2 * of_trunk, 4, tokens, tokens),
        "class_block_1": (2 * of_trunk, 4, *last),
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda b: MixViT(b, 5),
        lambda b: MixViT(b, 5, 8, attribution_position="early"),
        lambda b: MixViT(b, 5, input_mixing="all_tokens"),
        lambda b: SingleNetwork(b, 5),
        lambda b: MixMo(b, 5, inference="parallel"),
        lambda b: ManifoldMixUp(b, 5, num_layers=2),
    ],
    ids=["mixvit", "eight", "all_tokens", "single", "mixmo", "manifold"],
)
def test_every_model_of_a_vit_is_trained_saved_and_loaded(make, tmp_path):
    keras.utils.set_random_seed(0)
    options = {"num_blocks": 1, "num_class_blocks": 1}
    backbone = tiny_vit(**options, stochastic_depth_rate=0.2, seed=0)
    model = make(backbone)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, **EAGERLY)
    mixing = ManifoldMixing(num_layers=2) if model.num_mixed_layers else None
    pairs = mixed_pair_dataset(
        images(4),
        np.arange(4),
        model.mask_sampler(),
        epochs=1,
        batch_size=4,
        num_classes=5,
        manifold_mixing=mixing,
    )
    before = [numpy(v) for v in model.trainable_variables]
    model.fit(pairs, epochs=1, verbose=0)
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert np.any(numpy(variable) != value), variable.path
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    x = images(3)
    np.testing.assert_allclose(numpy(loaded(x)), numpy(model(x)), atol=1e-6)
