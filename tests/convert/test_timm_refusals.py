import ast
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork
from keras_mixvit.convert import Conversion, load_timm_weights, timm_weights
from keras_mixvit.layers import SubnetworkHeads
from tests.convert.loading import HEAD, KINDS, MISFIT, assert_values, random, values
from tests.helpers import tiny_cait


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
        "`model` must have a vision transformer as its backbone, CaiT, ConViT or "
        "ViT. Received: backbone='Sequential'"
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
