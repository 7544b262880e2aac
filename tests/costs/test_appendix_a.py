from keras_mixvit.backbones import WideResNet
from keras_mixvit.costs import flops
from keras_mixvit.costs._appendix_a import AppendixA
from keras_mixvit.models import MixViT, SingleNetwork
from tests.helpers import tiny_cait, tiny_convit


def test_formulas_are_those_of_the_paper():
    paper = AppendixA(5, 2, tokens=64, width=384, subnetworks=2)
    # 3 N d², N² d, N² d, N d² and 8 N d²; 13 N d² + 2 N² d; (3 N + 9) d² + 2 N d.
    assert paper.self_attention == 28311552 + 2 * 1572864 + 9437184 + 75497472
    assert paper.self_attention_as_printed == 122683392 + 3145728
    assert paper.class_attention == 201 * 147456 + 49152
    once = 5 * 116391936
    assert paper.multiply_adds == once + 4 * 29687808
    assert abs(paper.ratio - paper.multiply_adds / (once + 2 * 29687808)) < 1e-12
    assert abs(paper.rough_ratio - (5 + 4) / (5 + 2)) < 1e-12
    assert abs(paper.tight_ratio - (5 + 1) / (5 + 0.5)) < 1e-12
    assert round(paper.ratio, 1) == round(paper.tight_ratio, 1) == 1.1


def test_paper_is_there_for_class_attention_over_patches_only():
    assert flops(tiny_cait()).paper.subnetworks == 1
    assert flops(MixViT(tiny_convit(), 5), training=True).paper.ratio == 1
    assert flops(MixViT(tiny_convit(), 5)).paper.passes == 2
    for model in (
        SingleNetwork(WideResNet((8, 8, 3), depth=10, widening=1), 5),
        tiny_convit(trunk_attention="self_attention"),
        tiny_convit(mlp_ratio=2.0),
    ):
        assert flops(model).paper is None
