import math

import keras
import pytest
from keras import ops

from keras_mixvit.analysis import flops
from keras_mixvit.analysis.cost import Cost
from keras_mixvit.backbones import ConViT, PreActResNet, ResNet, WideResNet
from keras_mixvit.models import (
    Ensemble,
    ManifoldMixUp,
    MixMo,
    MixViT,
    SingleNetwork,
)
from tests.helpers import tiny_cait, tiny_convit
from tests.plain_class_attention import PlainClassAttention

# tiny_convit: a grid of 2 x 3 tokens of width 16, 4 heads, 2 + 2 blocks.
N, D, HEADS = 6, 16, 4
STEM = N * 4 * 4 * 3 * D
BODY = 2 * (12 * N * D**2 + 2 * N**2 * D)
CLASS_BLOCKS = 2 * (4 * D**2 + 2 * (N + 1) * HEADS * D + 8 * D**2)


def wide_resnet(**options):
    return WideResNet((8, 8, 3), depth=10, widening=1, **options)


@pytest.fixture
def _zeros(monkeypatch):
    """Draws no weights: large networks are quickly made."""

    def zeros(self, shape, dtype=None):
        return ops.zeros(shape, dtype)

    monkeypatch.setattr(keras.initializers.HeNormal, "__call__", zeros)
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", zeros)


@pytest.mark.usefixtures("_zeros")
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
    # The paper's 5.9571 needs the 16 x 32 x 32 sums of the two stems.
    sums = mixmo.stages["stem"].elementwise
    assert sums == 16 * 32 * 32
    assert round((mixmo.total.with_norms + sums) / 1e9, 4) == 5.9571


@pytest.mark.usefixtures("_zeros")
def test_convit_has_what_its_formulas_say_and_the_paper_beside_it():
    report = flops(MixViT(ConViT(), 100, source_attribution="encoding"))
    n, d, passes = 64, 384, 2
    assert report.stages["stem"].multiply_adds == n * 48 * d
    assert report.stages["body"].multiply_adds == 5 * (12 * n * d**2 + 2 * n**2 * d)
    assert report.stages["attribution"].multiply_adds == passes * n * d**2
    block = 12 * d**2 + 2 * 65 * 12 * d
    assert report.stages["trunk"].multiply_adds == passes * 2 * block
    assert report.stages["heads"].multiply_adds == passes * d * 100
    paper = report.paper
    assert paper.self_attention == 12 * n * d**2 + 2 * n**2 * d
    assert paper.self_attention_as_printed == 13 * n * d**2 + 2 * n**2 * d
    assert paper.class_attention == (3 * n + 9) * d**2 + 2 * n * d
    once = 5 * paper.self_attention
    assert paper.multiply_adds == once + 4 * paper.class_attention
    assert paper.ratio == paper.multiply_adds / (once + 2 * paper.class_attention)
    assert paper.rough_ratio == pytest.approx((5 + 4) / (5 + 2))
    assert paper.tight_ratio == pytest.approx((5 + 1) / (5 + 0.5))
    assert round(paper.ratio, 1) == round(paper.tight_ratio, 1) == 1.1
    # Once for the call, though the body would run twice in early attribution.
    assert report.total.per_call == report.per_subnetwork.alone.per_call > 0
    assert report.per_subnetwork.further.per_call == 0


def test_paper_is_there_for_class_attention_over_patches_only():
    assert flops(tiny_cait()).paper.subnetworks == 1
    assert flops(MixViT(tiny_convit(), 5), training=True).paper.ratio == 1
    assert flops(MixViT(tiny_convit(), 5)).paper.passes == 2
    for model in (
        SingleNetwork(wide_resnet(), 5),
        tiny_convit(trunk_attention="self_attention"),
        tiny_convit(mlp_ratio=2.0),
    ):
        assert flops(model).paper is None


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
    ({}, 1, 1, 2, 0),
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
    expected = {
        "stem": stems * STEM,
        "body": bodies * BODY,
        "trunk": trunks * CLASS_BLOCKS,
        "heads": 2 * 5 * D,
    }
    found = {stage: cost.multiply_adds for stage, cost in report.stages.items()}
    assert found.pop("attribution", 0) == source
    assert found == expected
    alone = MixViT(tiny_convit(), 5, **{**options, "inference": 0})
    if options.get("inference") == "alternating":
        source_once = N * D
    else:
        source_once = 0
    pair = report.per_subnetwork
    assert pair.alone.multiply_adds == products(alone) + source_once
    assert pair.alone + pair.further == report.total


def test_each_further_subnetwork_adds_what_the_report_says():
    for make in (
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


def test_manifold_mixup_and_other_networks_have_every_call_in_a_stage():
    for backbone in (ResNet((32, 32, 1)), PreActResNet((16, 16, 1))):
        model = ManifoldMixUp(backbone, 5)
        assert products(model, training=True) == products(model)
        assert list(flops(model).stages) == ["stem", "body", "trunk", "heads"]


def test_backbone_and_functional_ensemble_have_the_stages_of_the_model():
    model = MixViT(tiny_convit(mean=0.5, std=0.5), 5)
    report, backbone = flops(model), flops(model.backbone)
    assert report.stages["stem"] == backbone.stages["stem"]
    assert report.stages["body"] == backbone.stages["body"]
    assert "heads" not in backbone.stages
    ensemble = flops(model.ensemble())
    stages = ensemble.stages
    # The mean of two subnetworks' logits, after their heads.
    mean = ensemble.total - report.total
    assert mean == Cost(elementwise=2 * 5)
    assert {**stages, "heads": stages["heads"]} == {
        **report.stages,
        "heads": report.stages["heads"] + (mean if "other" not in stages else Cost()),
        **({"other": mean} if "other" in stages else {}),
    }
    assert ensemble.per_subnetwork is None


def plain_network():
    inputs = keras.Input((8, 6, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    shared = keras.layers.Conv2D(4, 3, padding="same", name="shared")
    x = shared(keras.layers.ReLU()(shared(x)))
    inner = keras.Sequential([keras.Input((8, 6, 4)), keras.layers.Dense(2)])
    x = keras.layers.GlobalAveragePooling2D()(inner(x))
    return keras.Model(inputs, keras.layers.Dense(5)(x), name="plain")


def test_any_functional_model_with_shared_and_nested_layers():
    report = flops(plain_network())
    places = 8 * 6
    convolutions = places * 9 * 4 * (3 + 4 + 4)
    assert report.total.multiply_adds == convolutions + places * 4 * 2 + 2 * 5
    assert sum(row.name == "shared" for row in report.rows) == 2
    assert list(report.stages) == ["other"]
    sequential = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    assert flops(sequential).total == Cost(multiply_adds=12, biases=3)


def nodes(model):
    layers = list(model.layers)
    for layer in layers:
        layers += getattr(layer, "layers", [])
    return [(len(x._inbound_nodes), len(x._outbound_nodes)) for x in layers]


def test_the_model_is_left_as_it_was():
    model = MixViT(tiny_convit(), 5)
    plain = plain_network()
    plain.compile("sgd", "mse")
    for network in (model.inference_network, model.training_network, plain):
        before = nodes(network), network.get_config(), network.to_json()
        flops(model), flops(model, training=True), flops(plain)
        assert (nodes(network), network.get_config(), network.to_json()) == before
    assert plain.compiled and not plain.optimizer.built
    assert len(model.layers) == len(MixViT(tiny_convit(), 5).layers)


class Mine(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def test_unknown_layers_are_refused_by_name_or_skipped():
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3)(Mine(name="extra")(inputs))
    model = keras.Model(inputs, outputs)
    with pytest.raises(ValueError, match="the layer 'extra' is a Mine"):
        flops(model)
    report = flops(model, unknown="skip")
    assert report.skipped == ("extra (Mine)",)
    assert report.total.multiply_adds == 12
    assert report.table().endswith("Not counted: extra (Mine).")
    with pytest.raises(ValueError, match="`unknown` must be one of 'error', 'skip'"):
        flops(model, unknown="ignore")
    sine = keras.Model(inputs, ops.sin(inputs))
    with pytest.raises(ValueError, match="is a Sin"):
        flops(sine)


def test_a_class_derived_from_a_known_one_is_not_taken_for_it(monkeypatch):
    place = "keras_mixvit.backbones.vision_transformer.ClassAttention"
    monkeypatch.setattr(place, PlainClassAttention)
    model = SingleNetwork(tiny_convit(), 5)
    name = "trunk/class_block_0/attention' is a PlainClassAttention"
    with pytest.raises(ValueError, match=name):
        flops(model)
    assert len(flops(model, unknown="skip").skipped) == 2


def test_models_that_are_no_graph_or_of_unknown_size_are_refused():
    class Subclassed(keras.Model):
        pass

    for model in (Subclassed(), keras.Sequential([keras.layers.Dense(2)])):
        with pytest.raises(ValueError, match="`model` must be a model of this lib"):
            flops(model)
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(inputs))
    with pytest.raises(ValueError, match="`model` must have inputs of a known size"):
        flops(model)


def test_table_lists_stages_or_layers_and_what_subnetworks_cost():
    report = flops(MixViT(tiny_convit(), 5))
    lines = report.table().splitlines()
    assert lines[0].split()[:4] == ["stage", "multiply", "adds", "FLOPs"]
    assert [line.split()[0] for line in lines[1:7]] == [*report.stages, "total"]
    assert lines[6].split()[1] == f"{report.total.multiply_adds:,}"
    further = report.per_subnetwork.further.flops
    assert f"each further one: {further:,} " in report.table()
    assert f"Appendix A: {report.paper.multiply_adds:,} multiply-adds" in lines[-1]
    text = flops(MixViT(tiny_convit(), 5), training=True).table(by_layer=True)
    assert "body/block_0/mlp" in text
    assert "per mixed sample, forward." in text
    assert "by the convention of 3 times" in text


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
