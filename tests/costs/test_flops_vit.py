"""Operations of a ViT, whose prefix tokens are tokens like the others."""

import keras
import pytest
from keras import ops

from keras_mixvit.costs import flops
from keras_mixvit.costs._cost import Cost
from keras_mixvit.models import MixMo, MixViT, SingleNetwork
from tests.costs.test_flops import dot_products
from tests.helpers import tiny_vit

pytestmark = pytest.mark.usefixtures("_zero_weights")

# tiny_vit: a grid of 2 x 3 patches, a class token, 2 registers, 4 heads, 2 + 2 blocks.
N, P, D, HEADS = 6, 3, 16, 4
STEM = N * 4 * 4 * 3 * D


def block(tokens, hidden=8):
    """Multiply-adds of a block: 4 d² of attention, `hidden` d² of the MLP."""
    return (4 + hidden) * tokens * D**2 + 2 * tokens**2 * D


def class_block(tokens, hidden=8):
    """The same, where only the class token leaves."""
    return (4 + hidden) * D**2 + 2 * tokens * HEADS * D


TOKEN_TRUNK = block(N + P) + class_block(N + P)
MODELS = {
    "late": ({}, 1, 1, 0),
    "encoding": ({"source_attribution": "encoding"}, 1, 1, N * D**2),
    "early": ({"attribution_position": "early"}, 0, 1, 0),
    "sum": ({"inference": "sum"}, 1, 0, 0),
    "none": ({"source_attribution": None}, 1, 0, 0),
}


@pytest.mark.parametrize("members", [2, 8])
@pytest.mark.parametrize("name", MODELS)
def test_stages_run_once_or_once_per_subnetwork(name, members):
    options, body_once, trunk_each, source = MODELS[name]
    report = flops(MixViT(tiny_vit(), 5, members, **options))
    expected = {
        "stem": STEM,
        "body": (1 if body_once else members) * 2 * block(N + P),
        "trunk": (members if trunk_each else 1) * TOKEN_TRUNK,
        "heads": members * 5 * D,
    }
    found = {stage: cost.multiply_adds for stage, cost in report.stages.items()}
    assert found.pop("attribution", 0) == members * source
    assert found == expected
    alone = flops(MixViT(tiny_vit(), 5, members, **{**options, "inference": 0}))
    pair = report.per_subnetwork
    assert pair.alone.multiply_adds == alone.total.multiply_adds
    assert sum([pair.further] * (members - 1), pair.alone) == report.total
    assert report.paper is None


def test_tokens_are_summed_with_their_positions_once():
    assert flops(tiny_vit()).total.per_call == P * D
    assert flops(tiny_vit(prefix_positions=False)).total.per_call == 0
    dropped = flops(tiny_vit(dropout_rate=0.1), training=True)
    plain = flops(tiny_vit(), training=True)
    tokens, heads = N + P, HEADS
    # After position; the output of attention and two layers of the MLP of a block.
    first = tokens * D
    of_block = tokens * D * (1 + 4 + 1)
    last = D * (1 + 4 + 1)
    difference = dropped.total.elementwise - plain.total.elementwise
    assert difference == first + 3 * of_block + last
    assert heads == tiny_vit().num_heads


@pytest.mark.parametrize(
    ("options", "body", "trunk"),
    [
        ({}, 2 * block(N + P), TOKEN_TRUNK),
        ({"pooling": "average"}, 2 * block(N + P), 2 * block(N + P)),
        (
            {"pooling": "average", "class_token": False, "num_registers": 0},
            2 * block(N),
            2 * block(N),
        ),
        (
            {"mlp_activation": "quick_gelu", "pre_norm": True},
            2 * block(N + P),
            TOKEN_TRUNK,
        ),
        (
            {"mlp_activation": "swiglu"},
            2 * block(N + P, 12),
            block(N + P, 12) + class_block(N + P, 12),
        ),
    ],
)
def test_options_cost_what_they_compute(options, body, trunk):
    report = flops(SingleNetwork(tiny_vit(**options), 5))
    found = {stage: cost.multiply_adds for stage, cost in report.stages.items()}
    assert found == {"stem": STEM, "body": body, "trunk": trunk, "heads": 5 * D}
    assert report.per_subnetwork.alone == report.total


def test_a_gate_costs_biases_and_a_product():
    plain, gated = (
        flops(tiny_vit(mlp_activation=activation)).total
        for activation in ("gelu", "swiglu")
    )
    hidden = 4 * D * (3 * (N + P) + 1)
    difference = Cost(multiply_adds=hidden * D, biases=hidden, elementwise=hidden)
    assert gated == plain + difference


def test_a_first_norm_costs_itself_and_saves_the_bias_of_the_patches():
    plain, normed = (flops(tiny_vit(pre_norm=value)).total for value in (False, True))
    ours = flops(tiny_vit(pooling="average")).total
    last = flops(tiny_vit(pooling="average", norm_after_pooling=False)).total
    # Of the patches in place of their mean, and of all tokens.
    per_token = (last.norms - ours.norms) // (N - 1)
    difference = Cost(norms=(N + P) * per_token, biases=-N * D)
    assert normed == plain + difference


def test_two_tokens_of_a_distilled_network_leave_all_blocks():
    options = {"pooling": "distilled", "num_registers": 0}
    report = flops(SingleNetwork(tiny_vit(**options), 5))
    found = {stage: cost.multiply_adds for stage, cost in report.stages.items()}
    blocks = 2 * block(N + 2)
    expected = {"stem": STEM, "body": blocks, "trunk": blocks, "heads": 5 * 2 * D}
    assert found == expected


def test_on_all_tokens_prefix_tokens_stand_once():
    report = flops(MixViT(tiny_vit(), 5, 3, input_mixing="all_tokens"))
    assert report.stages["body"].multiply_adds == 2 * block(3 * N + P)
    assert report.stages["trunk"].multiply_adds == (
        block(3 * N + P) + class_block(3 * N + P)
    )


@pytest.mark.skipif(keras.config.backend() != "jax", reason="jax traces the graph")
@pytest.mark.parametrize(
    ("make", "class_passes"),
    [
        (lambda: MixViT(tiny_vit(), 5), 2),
        (lambda: MixViT(tiny_vit(), 5, 8, source_attribution="encoding"), 8),
        (lambda: MixViT(tiny_vit(mlp_activation="swiglu"), 5, inference="sum"), 1),
        (lambda: MixViT(tiny_vit(pooling="average"), 5, 3), 0),
        (lambda: MixViT(tiny_vit(pooling="distilled", num_registers=0), 5, 3), 0),
        (lambda: MixViT(tiny_vit(pre_norm=True), 5, 3), 3),
        (lambda: MixMo(tiny_vit(), 5, inference="parallel"), 2),
    ],
)
def test_products_are_those_that_jax_traces(make, class_passes):
    import jax

    model = make()
    images = ops.zeros((1, *model.image_shape))
    jaxpr = jax.make_jaxpr(lambda x: model.inference_network(x, training=False))
    traced = dot_products(jaxpr(images).jaxpr)
    # The class token's share of a weighted sum is no matrix product there.
    found = flops(model).total.multiply_adds
    assert found == traced + class_passes * HEADS * D
