import math

import keras
import pytest
from keras import ops

from keras_mixvit.backbones import ConViT, PreActResNet, ResNet, WideResNet
from keras_mixvit.costs import flops
from keras_mixvit.costs._appendix_a import AppendixA
from keras_mixvit.costs._cost import Cost
from keras_mixvit.models import Ensemble, MixMo, MixViT, SingleNetwork
from tests.helpers import tiny_cait, tiny_convit

pytestmark = pytest.mark.usefixtures("_zero_weights")

# tiny_convit: a grid of 2 x 3 tokens of width 16, 4 heads, 2 + 2 blocks.
N, D, HEADS = 6, 16, 4
STEM = N * 4 * 4 * 3 * D
BODY = 2 * (12 * N * D**2 + 2 * N**2 * D)
CLASS_BLOCKS = 2 * (4 * D**2 + 2 * (N + 1) * HEADS * D + 8 * D**2)
# On a grid that subnetworks share, vector and offset are two more tokens.
SHARING = 2 * 2 * 2 * HEADS * D
# The first block has one class token for all: its queries meet the grid once.
ONCE = 2 * D**2 + N * HEADS * D


def wide_resnet(**options):
    return WideResNet((8, 8, 3), depth=10, widening=1, **options)


def test_wide_resnet_has_the_published_numbers():
    backbone = WideResNet((32, 32, 3), depth=28, widening=10)
    single = flops(SingleNetwork(backbone, 100)).total
    mixmo = flops(MixMo(backbone, 100, num_subnetworks=2))
    assert single.multiply_adds == 5_951_175_168
    assert mixmo.total.multiply_adds == 5_951_681_536
    # Batch norm acts on 2,678,784 elements.
    assert single.with_norms == 5_951_175_168 + 2 * 2_678_784
    assert mixmo.total.with_norms == 5_951_681_536 + 2 * 2_678_784
    assert round(single.with_norms / 1e9, 4) == 5.9565
    # The paper's 5.9571 is that with the 16 x 32 x 32 sums of the two stems.
    sums = mixmo.stages["stem"].elementwise
    assert sums == 16 * 32 * 32
    assert round((mixmo.total.with_norms + sums) / 1e9, 4) == 5.9571


def test_convit_has_what_its_formulas_say_and_the_paper_beside_it():
    report = flops(MixViT(ConViT(), 100, source_attribution="encoding"))
    n, d, passes = 64, 384, 2
    assert report.stages["stem"].multiply_adds == n * 48 * d
    assert report.stages["body"].multiply_adds == 5 * (12 * n * d**2 + 2 * n**2 * d)
    assert report.stages["attribution"].multiply_adds == passes * n * d**2
    block = 12 * d**2 + 2 * 65 * 12 * d
    assert report.stages["trunk"].multiply_adds == passes * 2 * block
    assert report.stages["heads"].multiply_adds == passes * d * 100
    assert report.paper == AppendixA(5, 2, n, d, passes)
    # Once for the call, though the body would run twice in early attribution.
    assert report.total.per_call == report.per_subnetwork.alone.per_call > 0
    assert report.per_subnetwork.further.per_call == 0


@pytest.mark.parametrize("trunk", ["class_attention", "self_attention"])
def test_single_transformer(trunk):
    report = flops(SingleNetwork(tiny_convit(trunk_attention=trunk), 5))
    blocks = CLASS_BLOCKS
    if trunk == "self_attention":
        blocks = CLASS_BLOCKS // 2 + 12 * 7 * D**2 + 2 * 7**2 * D
    expected = {"stem": STEM, "body": BODY, "trunk": blocks, "heads": 5 * D}
    assert {s: c.multiply_adds for s, c in report.stages.items()} == expected
    assert report.total.multiply_adds == sum(expected.values())
    assert report.per_subnetwork.alone == report.total
    assert report.per_subnetwork.further is None


def products(model, **options):
    return flops(model, **options).total.multiply_adds


MIXVIT = [
    ({}, 1, 1, 2, 2 * N * D),
    ({"source_attribution": "encoding"}, 1, 1, 2, 2 * N * D**2),
    ({"source_attribution": None}, 1, 1, 1, 0),
    ({"attribution_position": "early"}, 1, 2, 2, 0),
    ({"inference": "sum"}, 1, 1, 1, 0),
    ({"inference": "alternating"}, 1, 1, 1, 2 * N * D),
]


@pytest.mark.parametrize(("options", "stems", "bodies", "trunks", "source"), MIXVIT)
def test_mixvit_runs_each_stage_so_many_times(options, stems, bodies, trunks, source):
    model = MixViT(tiny_convit(), 5, **options)
    report = flops(model)
    once = 0 if options else ONCE
    expected = {
        "stem": stems * STEM,
        "body": bodies * BODY,
        "trunk": trunks * (CLASS_BLOCKS + (0 if options else SHARING - ONCE)) + once,
        "heads": 2 * 5 * D,
    }
    found = {stage: cost.multiply_adds for stage, cost in report.stages.items()}
    assert found.pop("attribution", 0) == source
    assert found == expected
    alone = MixViT(tiny_convit(), 5, **{**options, "inference": 0})
    once = {
        # The grid of an index is shared, though by one subnetwork alone, and its
        # tokens have a product with the vector.
        "sum": -SHARING - N * D,
        # That with masks, which choose the sources, is one as well.
        "alternating": -SHARING,
    }.get(options.get("inference"), 0)
    pair = report.per_subnetwork
    assert pair.alone.multiply_adds == products(alone) + once
    assert pair.alone + pair.further == report.total


def test_each_further_subnetwork_adds_what_the_report_says():
    for make in (
        lambda m: MixViT(tiny_convit(), 5, m),
        lambda m: MixViT(tiny_convit(), 5, m, source_attribution="encoding"),
        lambda m: MixMo(wide_resnet(), 5, m),
        lambda m: MixMo(wide_resnet(), 5, m, inference="parallel"),
    ):
        two, three = flops(make(2)), flops(make(3))
        further = two.per_subnetwork.further.multiply_adds
        assert three.total.multiply_adds - two.total.multiply_adds == further
        assert three.per_subnetwork.alone.multiply_adds == (
            two.per_subnetwork.alone.multiply_adds
        )


def test_mixmo_alone_is_one_stem_and_one_head():
    single = SingleNetwork(wide_resnet(), 5)
    for inference in ("sum", "parallel"):
        report = flops(MixMo(wide_resnet(), 5, inference=inference))
        assert report.per_subnetwork.alone.multiply_adds == products(single)
    one = flops(MixMo(wide_resnet(), 5, inference=1))
    assert one.total.multiply_adds == products(single)
    assert one.per_subnetwork.further is None


def test_all_tokens_have_the_backbone_on_one_image_alone():
    report = flops(MixViT(tiny_convit(), 5, 3, input_mixing="all_tokens"))
    attention = 2 * (12 * 3 * N * D**2 + 2 * (3 * N) ** 2 * D)
    assert report.stages["body"].multiply_adds == attention
    assert report.stages["stem"].multiply_adds == 3 * STEM
    pair = report.per_subnetwork
    assert pair.alone.multiply_adds == products(SingleNetwork(tiny_convit(), 5))
    rest = report.total.multiply_adds - pair.alone.multiply_adds
    assert pair.further.multiply_adds == rest // 2


def test_ensemble_is_the_sum_of_its_models():
    models = [MixMo(wide_resnet(), 5), SingleNetwork(wide_resnet(), 5)]
    ensemble = flops(Ensemble(models))
    parts = [flops(model) for model in models]
    assert ensemble.total == parts[0].total + parts[1].total
    for stage in ("stem", "body", "trunk", "heads"):
        both = parts[0].stages[stage] + parts[1].stages[stage]
        assert ensemble.stages[stage] == both
    assert ensemble.per_subnetwork.further == ensemble.total // 3


def test_training_counts_one_mixed_sample_and_a_step_three_times_that():
    report = flops(MixMo(wide_resnet(), 5), training=True)
    # Stems have their own image, the rest runs once; batch norm is dearer.
    inference = flops(MixMo(wide_resnet(), 5))
    assert report.total.multiply_adds == inference.total.multiply_adds
    assert report.total.norms == inference.total.norms // 2 * 7
    assert report.training_step_flops == 3 * report.total.flops
    assert inference.training_step_flops is None
    # Masks times grids, their sum, times M; Keras adds no zero of `sum`.
    assert report.stages["stem"].elementwise == 4 * 16 * 8 * 8
    mixvit = flops(MixViT(tiny_convit(), 5), training=True)
    assert mixvit.stages["mixing"] == Cost(elementwise=2 * 2 * 8 * 12 * 3)
    assert mixvit.stages["trunk"].multiply_adds == CLASS_BLOCKS
    single = SingleNetwork(tiny_convit(), 5)
    assert products(single, training=True) == products(single)


def dot_products(jaxpr):
    """Multiply-adds of the matrix products and convolutions of a jaxpr."""
    found = 0
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            found += dot_products(value.jaxpr) if hasattr(value, "jaxpr") else 0
        outputs = math.prod(equation.outvars[0].aval.shape)
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            found += outputs * math.prod(shape[axis] for axis in contracted)
        elif equation.primitive.name == "conv_general_dilated":
            numbers = equation.params["dimension_numbers"]
            kernel = equation.invars[1].aval.shape
            found += outputs * math.prod(kernel) // kernel[numbers.rhs_spec[0]]
    return found


@pytest.mark.skipif(keras.config.backend() != "jax", reason="jax traces the graph")
@pytest.mark.parametrize(
    ("make", "class_passes"),
    [
        (lambda: MixViT(tiny_convit(), 5, 3), 0),
        (lambda: MixViT(tiny_convit(), 5, source_attribution="encoding"), 4),
        (lambda: MixViT(tiny_cait(num_heads=4), 5, inference="alternating"), 2),
        (lambda: MixViT(tiny_convit(), 5, 3, input_mixing="all_tokens"), 2),
        (lambda: MixMo(wide_resnet(), 5, 3), 0),
        (lambda: MixMo(PreActResNet((16, 16, 1)), 5, inference="parallel"), 0),
        (lambda: SingleNetwork(ResNet((32, 32, 1)), 5), 0),
    ],
)
def test_products_are_those_that_jax_traces(make, class_passes):
    import jax

    model = make()
    images = ops.zeros((1, *model.image_shape))
    jaxpr = jax.make_jaxpr(lambda x: model.inference_network(x, training=False))
    traced = dot_products(jaxpr(images).jaxpr)
    # The class token's share of a weighted sum is no matrix product there.
    assert products(model) == traced + class_passes * HEADS * D
