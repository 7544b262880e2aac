import numpy as np
import pytest
from keras import ops

from keras_mixvit import SingleNetwork
from keras_mixvit.convert import load_timm_weights, timm_weights
from keras_mixvit.convert._timm_layout import backbone_entries
from tests.convert.files import cubic_resized
from tests.convert.loading import FEW, KINDS, assert_values, random, table_of, values
from tests.helpers import images, numpy, tiny_cait
from tests.layers.compiled import compiled


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
    places = {(entry.key, entry.part) for entry in entries}
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
