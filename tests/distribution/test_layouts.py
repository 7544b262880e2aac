"""How much of a transformer a model axis cuts, from shapes alone."""

import re

import pytest

from keras_mixvit import MixViT, make_backbone
from keras_mixvit.distribution._layouts import NARROWING, WIDENING
from tests.helpers import unallocated

PATTERNS = WIDENING | NARROWING


def kernels(name, model=MixViT):
    built = unallocated(lambda: model(make_backbone(name, (32, 32, 3), 4), 100))
    return [
        (v.path, tuple(v.shape)) for v in built.trainable_variables if v.ndim > 1
    ], [(v.path, tuple(v.shape)) for v in built.trainable_variables]


@pytest.mark.parametrize(
    "name",
    [
        "cait_xxs24",
        "cait_m36",
        "convit_mixvit",
        "convit_tiny",
        "convit_base",
        "deit_tiny_patch16",
    ],
)
def test_most_bytes_of_kernels_are_cut(name):
    found, variables = kernels(name)
    total = cut = 0
    for path, shape in found:
        size = 1
        for side in shape:
            size *= side
        total += size
        cut += size * any(re.fullmatch(pattern, path) for pattern in PATTERNS)
    assert cut / total >= 0.8, cut / total
    for path, shape in variables:
        matching = [axes for p, axes in PATTERNS.items() if re.fullmatch(p, path)]
        assert len(matching) <= 1, path
        if matching:
            assert len(matching[0]) == len(shape), path
            side = shape[matching[0].index("model")]
            # The widths of all CaiT are divided by 8, those of ConViT by 4, of ViT
            # by 64.
            assert side % 4 == 0, path
