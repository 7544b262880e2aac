import ast
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit import MixViT, SingleNetwork
from keras_mixvit.backbones import make_backbone
from keras_mixvit.convert import Conversion, load_timm_weights, timm_weights
from keras_mixvit.convert._timm_layout import backbone_entries
from keras_mixvit.layers import SubnetworkHeads
from tests.convert.files import cubic_resized
from tests.helpers import images, numpy, set_weights, tiny_cait, tiny_convit
from tests.layers.compiled import compiled

FEW = {"num_blocks": 1, "num_class_blocks": 1}
# The last block of a published trunk is stored otherwise than those before.
PUBLISHED = {
    "num_blocks": 1,
    "num_class_blocks": 2,
    "trunk_attention": "self_attention",
}
KINDS = {
    "cait": lambda **more: tiny_cait(**{**FEW, **more}),
    "cait without biases": lambda **more: tiny_cait(**{**FEW, **more}, qkv_bias=False),
    "published convit": lambda **more: tiny_convit(**{**PUBLISHED, **more}),
    "paper's convit": lambda **more: tiny_convit(**{**FEW, **more}),
    "published convit with biases": lambda **more: tiny_convit(
        **{**PUBLISHED, **more}, qkv_bias=True
    ),
    "paper's convit with biases": lambda **more: tiny_convit(
        **{**FEW, **more}, qkv_bias=True, layer_scale=0.1
    ),
}
HEAD = ("head.weight", "head.bias")
MISFIT = "`weights` must have the names and shapes of timm's model of the same size."


def random(model, seed=0, scale=0.3):
    set_weights(model, seed, scale)
    return model


def values(model):
    return {variable.path: numpy(variable) for variable in model.weights}


def assert_values(model, expected):
    found = values(model)
    assert set(found) == set(expected)
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, path)


def table_of(backbone):
    return numpy(backbone.body.get_layer("position").table)


@pytest.fixture(scope="module")
def single():
    return random(SingleNetwork(KINDS["cait"](), 5))


@pytest.fixture(scope="module")
def weights(single):
    return timm_weights(single)


def small_cait(grid, **changes):
    """A CaiT of few features on a grid of its own: positions are the subject."""
    options = {"num_blocks": 1, "num_class_blocks": 1, "width": 4, "num_heads": 2}
    shape = (2 * grid[0], 2 * grid[1], 1)
    return tiny_cait(image_shape=shape, patch_size=2, **{**options, **changes})


# There and back.


@pytest.mark.parametrize("kind", KINDS)
def test_weights_and_outputs_come_back_as_they_were(kind):
    first = random(SingleNetwork(KINDS[kind](), 5), seed=1)
    second = random(SingleNetwork(KINDS[kind](), 5), seed=2)
    conversion = load_timm_weights(second, timm_weights(first))
    assert_values(second, values(first))
    assert conversion.untouched == conversion.unused == conversion.resized == ()
    # Equal values give equal outputs: a few kinds tell, compiling is slow.
    if "bias" not in kind:
        run = compiled(lambda x: (first(x), second(x)))
        expected, found = map(numpy, run(images(2)))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_variable_of_the_backbone_has_one_entry(kind):
    backbone = KINDS[kind]()
    entries = backbone_entries(backbone)
    found = sorted(id(entry.variable) for entry in entries)
    assert found == sorted(id(variable) for variable in backbone.trainable_variables)
    places = {(entry.key, entry.third) for entry in entries}
    assert len(places) == len(entries)


def names_of(blocks):
    return {f"{block}.{name}" for block, names in blocks.items() for name in names}


def both(*layers):
    return [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]


MLP_AND_NORMS = both("norm1", "norm2", "mlp.fc1", "mlp.fc2")
OUTSIDE = {"pos_embed", "cls_token", *both("patch_embed.proj", "norm", "head")}


def test_names_of_a_cait_are_those_of_timm(weights):
    scales = ["gamma_1", "gamma_2"]
    talking = both("attn.qkv", "attn.proj", "attn.proj_l", "attn.proj_w")
    pooling = both("attn.q", "attn.k", "attn.v", "attn.proj")
    blocks = {
        "blocks.0": [*MLP_AND_NORMS, *scales, *talking],
        "blocks_token_only.0": [*MLP_AND_NORMS, *scales, *pooling],
    }
    assert set(weights) == OUTSIDE | names_of(blocks)


def test_names_of_a_published_convit_are_those_of_timm():
    found = timm_weights(SingleNetwork(KINDS["published convit"](), 5))
    linear = ["attn.qk.weight", "attn.v.weight", "attn.gating_param"]
    gated = [*linear, *both("attn.proj", "attn.pos_proj")]
    plain = ["attn.qkv.weight", *both("attn.proj")]
    blocks = {
        "blocks.0": [*MLP_AND_NORMS, *gated],
        "blocks.1": [*MLP_AND_NORMS, *plain],
        "blocks.2": [*MLP_AND_NORMS, *plain],
    }
    assert set(found) == OUTSIDE | names_of(blocks)


def test_arrays_are_float32_and_laid_out_as_in_pytorch(single, weights):
    for name, array in weights.items():
        assert array.dtype == "float32", name
        assert array.flags.c_contiguous, name
    stem = single.stem.get_layer("patch_embedding")
    kernel = numpy(stem.kernel).reshape(4, 4, 3, 16)
    for_convolution = weights["patch_embed.proj.weight"]
    np.testing.assert_array_equal(for_convolution, np.einsum("hwcd->dchw", kernel))
    block = single.body.get_layer("block_0")
    for name, layer in (
        ("mlp.fc1", block.mlp.expand),
        ("attn.qkv", block.attention.qkv),
    ):
        np.testing.assert_array_equal(
            weights[f"blocks.0.{name}.weight"], numpy(layer.kernel).T
        )
    assert weights["pos_embed"].shape == (1, 6, 16)
    assert weights["cls_token"].shape == (1, 1, 16)
    assert weights["head.weight"].shape == (5, 16)


def test_class_attention_of_a_published_convit_is_one_third_each():
    backbone = random(KINDS["published convit with biases"]())
    found = timm_weights(backbone)
    attention = backbone.trunk.get_layer("class_block_1").attention
    for i, name in enumerate(("query", "key", "value")):
        rows = slice(16 * i, 16 * (i + 1))
        kernel = numpy(getattr(attention, f"{name}_kernel"))
        bias = numpy(getattr(attention, f"{name}_bias"))
        np.testing.assert_array_equal(found["blocks.2.attn.qkv.weight"][rows], kernel.T)
        np.testing.assert_array_equal(found["blocks.2.attn.qkv.bias"][rows], bias)


# What weights may be.


def as_tensors(array):
    torch = pytest.importorskip("torch")
    return torch.tensor(array)


@pytest.mark.parametrize(
    "convert",
    [
        lambda array: array.astype("float64"),
        lambda array: array.astype("float16"),
        lambda array: ops.convert_to_tensor(array),
        as_tensors,
    ],
    ids=["float64", "float16", "tensors of the backend", "tensors of PyTorch"],
)
def test_arrays_may_be_of_other_kinds(convert, single, weights):
    other = random(SingleNetwork(KINDS["cait"](), 5), seed=1)
    load_timm_weights(other, {name: convert(a) for name, a in weights.items()})
    expected = values(single)
    for path, value in values(other).items():
        np.testing.assert_allclose(value, expected[path], rtol=1e-3, atol=1e-6)


def test_given_arrays_are_not_written_to(weights):
    given = {name: array.copy() for name, array in weights.items()}
    cait = tiny_cait(**FEW, image_shape=(8, 8, 3))
    load_timm_weights(cait, given, source_grid=(2, 3))
    for name, array in given.items():
        np.testing.assert_array_equal(array, weights[name], name)


def test_half_precision_of_another_grid_is_resized_in_float32(weights):
    half = {name: array.astype("float16") for name, array in weights.items()}
    cait = tiny_cait(**FEW, image_shape=(16, 12, 3))
    load_timm_weights(cait, half, include_head=False, source_grid=(2, 3))
    table = half["pos_embed"].reshape(2, 3, 16)
    expected = cubic_resized(table, (4, 3))
    np.testing.assert_allclose(table_of(cait), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16"])
def test_models_of_half_precision_are_loaded(dtype, weights):
    model = SingleNetwork(KINDS["cait"](dtype=dtype), 5)
    load_timm_weights(model, weights)
    found = timm_weights(model)
    exact = dtype == "mixed_bfloat16"
    for name, array in weights.items():
        assert found[name].dtype == "float32"
        rtol = 0 if exact else 2**-8
        np.testing.assert_allclose(found[name], array, rtol=rtol, err_msg=name)


# Heads.


@pytest.mark.parametrize("include_head", [None, True])
def test_a_single_network_takes_the_head(include_head, weights):
    model = random(SingleNetwork(KINDS["cait"](), 5), seed=1)
    conversion = load_timm_weights(model, weights, include_head)
    np.testing.assert_array_equal(
        numpy(model.heads.kernel)[0], weights["head.weight"].T
    )
    np.testing.assert_array_equal(numpy(model.heads.bias)[0], weights["head.bias"])
    assert set(conversion.loaded) == set(weights)
    assert (conversion.unused, conversion.untouched) == ((), ())


@pytest.mark.parametrize(
    ("make", "include_head"),
    [(SingleNetwork, False), (MixViT, False), (MixViT, None)],
    ids=["single, False", "several, False", "several, None"],
)
def test_new_heads_keep_their_values(make, include_head, weights):
    # Its number of classes differs: the head of the weights would not fit.
    model = random(make(KINDS["cait"](), 3), seed=1)
    new = list(model.heads.weights)
    if make is MixViT:
        new += model.attribution.weights
    kept = {variable.path: numpy(variable) for variable in new}
    conversion = load_timm_weights(model, weights, include_head)
    for variable in new:
        np.testing.assert_array_equal(
            numpy(variable), kept[variable.path], variable.path
        )
    assert set(conversion.untouched) == set(kept)
    assert conversion.unused == HEAD
    assert set(conversion.loaded) == set(weights) - set(HEAD)


def test_a_backbone_leaves_the_head_unused(weights):
    for include_head in (None, False):
        conversion = load_timm_weights(KINDS["cait"](), weights, include_head)
        assert conversion.unused == HEAD
        assert conversion.untouched == ()


def test_a_backbone_cannot_take_a_head(weights):
    message = (
        "`include_head` must be False for a backbone, which has no head. Received: "
        "include_head=True"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(KINDS["cait"](), weights, include_head=True)


def test_weights_without_a_head_leave_nothing_unused(single, weights):
    headless = {name: array for name, array in weights.items() if name not in HEAD}
    conversion = load_timm_weights(KINDS["cait"](), headless)
    assert conversion.unused == ()
    model = random(SingleNetwork(KINDS["cait"](), 5), seed=1)
    message = f"{MISFIT} Received: missing={list(HEAD)!r}, unexpected=[], shapes={{}}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(model, headless)
    load_timm_weights(model, headless, include_head=False)


def test_another_number_of_classes_is_refused_with_the_head(weights):
    model = random(MixViT(KINDS["cait"](), 3), seed=1)
    before = values(model)
    shapes = {
        "head.weight": "(5, 16) instead of (3, 16)",
        "head.bias": "(5,) instead of (3,)",
    }
    message = f"{MISFIT} Received: missing=[], unexpected=[], shapes={shapes!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(model, weights, include_head=True)
    assert_values(model, before)


@pytest.mark.parametrize("subnetwork", [0, 1, 2])
def test_weights_of_a_subnetwork_have_its_head(subnetwork):
    model = random(MixViT(KINDS["cait"](), 5, num_subnetworks=3))
    found = timm_weights(model, subnetwork)
    kernel, bias = numpy(model.heads.kernel), numpy(model.heads.bias)
    np.testing.assert_array_equal(found["head.weight"], kernel[subnetwork].T)
    np.testing.assert_array_equal(found["head.bias"], bias[subnetwork])


def test_weights_of_several_subnetworks_have_no_head():
    model = MixViT(KINDS["cait"](), 5)
    found = timm_weights(model)
    assert not set(HEAD) & set(found)
    assert set(timm_weights(model, 0)) == set(found) | set(HEAD)
    assert set(timm_weights(model.backbone)) == set(found)


@pytest.mark.parametrize(
    ("make", "subnetwork", "count"),
    [
        (lambda: MixViT(KINDS["cait"](), 5), 2, 2),
        (lambda: MixViT(KINDS["cait"](), 5), -1, 2),
        (lambda: SingleNetwork(KINDS["cait"](), 5), 1, 1),
        (KINDS["cait"], 0, 0),
    ],
    ids=["too large", "negative", "single", "backbone"],
)
def test_weights_of_a_subnetwork_that_is_none_are_refused(make, subnetwork, count):
    message = (
        f"`subnetwork` must be None or the index of one of {count} heads. Received: "
        f"subnetwork={subnetwork}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        timm_weights(make(), subnetwork)


# Each subnetwork starts as the single network.


def assert_every_subnetwork_is(network, model, inputs, through=compiled):
    load_timm_weights(model, timm_weights(network), include_head=True)
    for vector in model.attribution.trainable_variables:
        vector.assign(ops.zeros(vector.shape))
    run = through(lambda x: (network(x), model.inference_network(x)))
    expected, found = map(numpy, run(inputs))
    members = model.num_subnetworks
    assert found.shape == (len(inputs), members, network.num_classes)
    # Else equality would say little.
    assert expected.std() > 0.05
    for m in range(members):
        np.testing.assert_allclose(found[:, m], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("cait", {}),
        ("cait", {"source_attribution": "encoding", "num_subnetworks": 3}),
        ("published convit", {"attribution_position": "early"}),
    ],
    ids=["embedding", "encoding", "early"],
)
def test_every_subnetwork_starts_as_the_single_network(kind, options):
    network = random(SingleNetwork(KINDS[kind](), 5))
    model = random(MixViT(KINDS[kind](), 5, **options), seed=1)
    assert_every_subnetwork_is(network, model, images(2))


def test_every_subnetwork_starts_as_a_real_cait():
    shape = (32, 32, 3)
    network = random(SingleNetwork(make_backbone("cait_xxs24", shape), 5), scale=0.1)
    model = MixViT(make_backbone("cait_xxs24", shape), 5)
    # Uncompiled, blocks that are alike share their operations on JAX.
    assert_every_subnetwork_is(network, model, images(1, shape), through=lambda f: f)


# Positions on another grid.


def test_the_reference_resizes_as_pytorch_does():
    torch = pytest.importorskip("torch")
    table = np.random.default_rng(0).standard_normal((4, 5, 2)).astype("float32")
    for grid in ((7, 9), (2, 2), (3, 8), (4, 5)):
        resized = torch.nn.functional.interpolate(
            torch.tensor(table.transpose(2, 0, 1)[None]),
            size=grid,
            mode="bicubic",
            antialias=True,
            align_corners=False,
        )
        expected = resized[0].numpy().transpose(1, 2, 0)
        np.testing.assert_allclose(cubic_resized(table, grid), expected, atol=5e-6)


@pytest.mark.parametrize(
    ("old", "new", "source_grid"),
    [
        ((4, 4), (7, 7), None),
        ((4, 4), (2, 2), None),
        ((4, 4), (3, 6), None),
        ((4, 4), (5, 2), (4, 4)),
        ((2, 3), (4, 5), (2, 3)),
        # As many places in another order.
        ((2, 3), (3, 2), (2, 3)),
    ],
)
def test_positions_are_resized_as_timm_resizes_them(old, new, source_grid):
    first, second = random(small_cait(old)), random(small_cait(new), seed=1)
    weights = timm_weights(first)
    conversion = load_timm_weights(second, weights, source_grid=source_grid)
    expected = cubic_resized(table_of(first), new)
    np.testing.assert_allclose(table_of(second), expected, atol=1e-5)
    assert conversion.resized == ("pos_embed",)
    assert set(conversion.loaded) == set(weights)
    for name, array in timm_weights(second).items():
        if name != "pos_embed":
            np.testing.assert_array_equal(array, weights[name], name)


@pytest.mark.parametrize("source_grid", [None, (2, 3), [2, 3]])
def test_positions_of_the_same_grid_are_left_alone(source_grid):
    first, second = random(small_cait((2, 3))), random(small_cait((2, 3)), seed=1)
    weights = timm_weights(first)
    conversion = load_timm_weights(second, weights, source_grid=source_grid)
    np.testing.assert_array_equal(table_of(second), table_of(first))
    assert conversion.resized == ()


@pytest.mark.parametrize(
    ("old", "source_grid", "received"),
    [((4, 4), (3, 5), (3, 5)), ((4, 4), (4, 2), (4, 2)), ((2, 4), None, None)],
)
def test_a_source_grid_of_other_places_is_refused(old, source_grid, received):
    weights = timm_weights(small_cait(old))
    model = random(small_cait((3, 3)))
    before = values(model)
    message = (
        f"`source_grid` must be (h, w) with the {old[0] * old[1]} places of the table. "
        f"Received: source_grid={received}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(model, weights, source_grid=source_grid)
    assert_values(model, before)


def test_gated_positions_reckon_with_the_same_offsets_on_another_grid():
    first = random(KINDS["paper's convit"](image_shape=(16, 16, 3)))
    second = random(KINDS["paper's convit"](), seed=1)
    conversion = load_timm_weights(second, timm_weights(first))
    assert conversion.resized == ("pos_embed",)
    wide, narrow = (b.body.get_layer("block_0").attention for b in (first, second))
    np.testing.assert_array_equal(
        numpy(narrow.position_kernel), numpy(wide.position_kernel)
    )
    # On a part of the grid, offsets are the same: only the softmax differs.
    part = numpy(compiled(wide.positional_attention)())
    part = part.reshape(4, 4, 4, 4, 4)[:, :2, :3, :2, :3].reshape(4, 6, 6)
    np.testing.assert_allclose(
        numpy(compiled(narrow.positional_attention)()),
        part / part.sum(axis=-1, keepdims=True),
        rtol=1e-4,
        atol=1e-6,
    )


# What does not fit.


@pytest.fixture(scope="module")
def patient():
    """A model that every refusal must leave as it was, and its values."""
    model = random(SingleNetwork(KINDS["cait"](), 5), seed=1)
    return model, values(model)


def refusal(model, weights):
    """What the refusal of weights says was received, by its names."""
    with pytest.raises(ValueError, match=f"^{re.escape(MISFIT)} Received: ") as error:
        load_timm_weights(model, weights)
    received = str(error.value).removeprefix(f"{MISFIT} Received: ")
    found = ast.parse(f"received({received})", mode="eval").body.keywords
    return {item.arg: ast.literal_eval(item.value) for item in found}


def test_everything_that_does_not_fit_is_listed_at_once(weights, patient):
    model, before = patient
    wrong = dict(weights)
    del wrong["norm.bias"], wrong["blocks.0.gamma_1"]
    wrong["dist_token"] = wrong["cls_token"]
    wrong["blocks.1.norm1.weight"] = wrong["norm.weight"]
    wrong["cls_token"] = np.zeros((1, 1, 17), "float32")
    wrong["blocks.0.attn.qkv.weight"] = np.zeros((48, 17), "float32")
    found = refusal(model, wrong)
    assert found["missing"] == ["blocks.0.gamma_1", "norm.bias"]
    assert found["unexpected"] == ["dist_token", "blocks.1.norm1.weight"]
    assert found["shapes"] == {
        "cls_token": "(1, 1, 17) instead of (1, 1, 16)",
        "blocks.0.attn.qkv.weight": "(48, 17) instead of (48, 16)",
    }
    assert_values(model, before)


@pytest.mark.parametrize(
    ("changes", "misshapen"),
    [
        (
            {"patch_size": 2, "image_shape": (4, 6, 3)},
            {"patch_embed.proj.weight": "(16, 3, 2, 2) instead of (16, 3, 4, 4)"},
        ),
        (
            {"image_shape": (8, 12, 1)},
            {"patch_embed.proj.weight": "(16, 1, 4, 4) instead of (16, 3, 4, 4)"},
        ),
        (
            {"num_heads": 4},
            {
                "blocks.0.attn.proj_l.weight": "(4, 4) instead of (2, 2)",
                "blocks.0.attn.proj_l.bias": "(4,) instead of (2,)",
                "blocks.0.attn.proj_w.weight": "(4, 4) instead of (2, 2)",
                "blocks.0.attn.proj_w.bias": "(4,) instead of (2,)",
            },
        ),
        (
            {"mlp_ratio": 2.0},
            {
                f"{block}.0.mlp.{name}": shapes
                for block in ("blocks", "blocks_token_only")
                for name, shapes in {
                    "fc1.weight": "(32, 16) instead of (64, 16)",
                    "fc1.bias": "(32,) instead of (64,)",
                    "fc2.weight": "(16, 32) instead of (16, 64)",
                }.items()
            },
        ),
    ],
    ids=["patch size", "channels", "heads", "MLP"],
)
def test_weights_of_other_sizes_are_refused(changes, misshapen, patient):
    model, before = patient
    other = timm_weights(SingleNetwork(KINDS["cait"](**changes), 5))
    message = f"{MISFIT} Received: missing=[], unexpected=[], shapes={misshapen!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(model, other)
    assert_values(model, before)


def test_weights_of_another_width_are_refused_on_another_grid_too(patient):
    model, before = patient
    cait = KINDS["cait"](width=8, image_shape=(8, 8, 3))
    other = timm_weights(SingleNetwork(cait, 5))
    found = refusal(model, other)
    assert found["shapes"]["pos_embed"] == "(1, 6, 8) instead of (1, 6, 16)"
    of_heads = {f"blocks.0.attn.proj_{a}.{b}" for a in "lw" for b in ("weight", "bias")}
    assert set(found["shapes"]) == set(other) - of_heads - {"head.bias"}
    assert_values(model, before)


def test_another_depth_is_refused_by_its_names(weights, patient):
    model, before = patient
    deeper = timm_weights(SingleNetwork(tiny_cait(num_class_blocks=1), 5))
    found = refusal(model, deeper)
    surplus = [name for name in deeper if name.startswith("blocks.1.")]
    assert found == {"missing": [], "unexpected": surplus, "shapes": {}}
    deep = tiny_cait(num_class_blocks=1)
    found = refusal(deep, {n: a for n, a in weights.items() if n not in HEAD})
    assert found == {"missing": surplus, "unexpected": [], "shapes": {}}
    assert_values(model, before)


def test_another_kind_of_network_is_refused_by_its_names(weights, patient):
    model, before = patient
    convit = timm_weights(SingleNetwork(KINDS["published convit"](), 5))
    found = refusal(model, convit)
    assert set(found["missing"]) == set(weights) - set(convit)
    assert set(found["unexpected"]) == set(convit) - set(weights)
    assert_values(model, before)


@pytest.mark.parametrize("shape", [(6, 16), (1, 2, 3, 16), (96,)])
def test_a_position_table_of_other_axes_is_refused(shape, weights, patient):
    model, before = patient
    wrong = {**weights, "pos_embed": weights["pos_embed"].reshape(shape)}
    text = f"shapes={{'pos_embed': '{shape} instead of (1, 6, 16)'}}"
    with pytest.raises(ValueError, match=f"{re.escape(text)}$"):
        load_timm_weights(model, wrong)
    assert_values(model, before)


def test_no_weights_at_all_are_refused(weights, patient):
    model, _ = patient
    found = refusal(model, {})
    assert set(found["missing"]) == set(weights)


def convolutional():
    layers = [keras.layers.Input((8, 12, 3)), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential(layers)


@pytest.mark.parametrize(
    "make",
    [
        convolutional,
        lambda: SimpleNamespace(backbone=convolutional(), heads=SubnetworkHeads(5, 1)),
    ],
    ids=["backbone", "model"],
)
def test_what_is_no_vision_transformer_is_refused(make, weights):
    model = make()
    message = (
        "`model` must have a vision transformer as its backbone, CaiT or ConViT. "
        "Received: backbone='Sequential'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(model, weights)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        timm_weights(model)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(value, weights, patient):
    model, before = patient
    wrong = {name: array.copy() for name, array in weights.items()}
    wrong["blocks.0.norm1.weight"][3:5] = value
    wrong["head.bias"][0] = value
    message = (
        "`weights` must be finite. Weights with NaN or infinity come from a damaged "
        "file or a training that diverged. Received: not_finite="
        "{'blocks.0.norm1.weight': '2 of 16 values', 'head.bias': '1 of 5 values'}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(model, wrong)
    assert_values(model, before)


def test_weights_beyond_float32_are_refused(weights, patient):
    model, before = patient
    wrong = {**weights, "norm.bias": np.full(16, 1e300)}
    text = r"`weights` must be finite\. .* not_finite={'norm.bias': '16 of 16 values'}$"
    with pytest.raises(ValueError, match=text):
        load_timm_weights(model, wrong)
    assert_values(model, before)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [("a", "<U1"), (None, "object"), (1j, "complex128"), (b"a", "|S1")],
)
@pytest.mark.parametrize("name", ["norm.bias", "pos_embed"])
def test_weights_that_are_no_real_numbers_are_refused(name, value, dtype, weights):
    model = SingleNetwork(KINDS["cait"](image_shape=(8, 8, 3)), 5)
    wrong = {**weights, name: np.full(weights[name].shape, value)}
    message = (
        f"`weights` must hold real numbers. Received: dtypes={{{name!r}: {dtype!r}}}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_timm_weights(model, wrong, source_grid=(2, 3))


def test_a_resized_position_table_that_is_not_finite_is_refused(weights):
    wrong = {**weights, "pos_embed": np.full((1, 6, 16), np.nan)}
    model = SingleNetwork(KINDS["cait"](image_shape=(8, 8, 3)), 5)
    with pytest.raises(ValueError, match=r"`weights` must be finite\. .*'pos_embed'"):
        load_timm_weights(model, wrong, source_grid=(2, 3))


# The report.


def test_the_report_lists_what_was_loaded_and_what_was_not(weights):
    model = MixViT(KINDS["cait"](image_shape=(8, 8, 3)), 3)
    conversion = load_timm_weights(model, weights, source_grid=(2, 3))
    assert set(conversion.loaded) == set(weights) - set(HEAD)
    assert conversion.resized == ("pos_embed",)
    assert conversion.unused == HEAD
    untouched = (*model.heads.weights, *model.attribution.weights)
    assert set(conversion.untouched) == {variable.path for variable in untouched}
    count = len(weights) - len(HEAD)
    assert str(conversion).splitlines() == [
        f"loaded: {count} arrays",
        "resized: pos_embed",
        "not used: head.weight, head.bias",
        f"left as they were: {', '.join(conversion.untouched)}",
    ]


def test_a_report_says_none_where_nothing_is_listed():
    assert str(Conversion(loaded=("norm.weight", "norm.bias"))).splitlines() == [
        "loaded: 2 arrays",
        "resized: none",
        "not used: none",
        "left as they were: none",
    ]
