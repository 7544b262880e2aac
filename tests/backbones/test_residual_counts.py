"""Published sizes, parameters and operations of the residual networks."""

import math

import pytest

from keras_mixvit.backbones import ConViT
from tests.backbones.residual_networks import SMALL, classifier, shaped, unallocated

# By the widening, on 100 classes: of one network and of M = 2, 3 and 4.
WIDE_COUNTS = {
    2: (1_479_220, 1_492_552, 1_505_884, 1_519_216),
    3: (3_311_412, 3_331_144, 3_350_876, 3_370_608),
    4: (5_872_180, 5_898_312, 5_924_444, 5_950_576),
    5: (9_161_524, 9_194_056, 9_226_588, 9_259_120),
    7: (17_925_940, 17_971_272),
    10: (36_536_884, 36_601_416, 36_665_948, 36_730_480),
    14: (71_551_540, 71_641_672),
}
# On 200 classes: of one network and of M = 2.
PREACT_COUNTS = {
    1: (11_268_616, 11_372_944),
    2: (44_784_648, 44_991_376),
    3: (100_537_864, 100_846_992),
}


def count(model):
    """Trainable parameters; a batch norm has as many running statistics."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def counts(backbone, classes, members):
    return tuple(
        count(unallocated(lambda m=m: classifier(backbone, classes, m)))
        for m in members
    )


def multiply_accumulates(model):
    """Products of all convolutions and heads in one inference.

    From shapes alone: every output of a kernel takes all of its weights.
    """

    def products(kernel, grid):
        return math.prod(kernel.shape) * math.prod(grid)

    backbone = model.backbone
    total = math.prod(model.heads.kernel.shape)
    for stem in getattr(model, "stems", [model.stem] if hasattr(model, "stem") else []):
        kernel = stem.layers[-1].kernel
        total += products(kernel, stem.output.shape[1:3])
    for layer in backbone.body.layers:
        if not layer.name.startswith("group_"):
            continue
        grid = layer.input.shape[1:3]
        for conv in layer.convolutions:
            grid = [-(-n // s) for n, s in zip(grid, conv.strides, strict=True)]
            total += products(conv.kernel, grid)
        assert tuple(grid) == tuple(layer.output.shape[1:3])
        if layer.shortcut is not None:
            total += products(layer.shortcut.kernel, grid)
    return total


@pytest.mark.parametrize("widening", WIDE_COUNTS)
def test_wide_resnets_have_the_published_parameters(widening):
    published = WIDE_COUNTS[widening]
    members = range(1, 1 + len(published))
    assert counts(shaped("wide", widening), 100, members) == published


def test_wide_resnets_on_ten_classes_have_the_published_parameters():
    assert counts(shaped("wide", 10), 10, (1, 2)) == (36_479_194, 36_486_036)


@pytest.mark.parametrize("widening", PREACT_COUNTS)
def test_preact_resnets_have_the_published_parameters(widening):
    backbone = shaped("preact", widening)
    assert counts(backbone, 200, (1, 2)) == PREACT_COUNTS[widening]


def test_resnet_has_the_well_known_parameters():
    assert counts(shaped("resnet"), 1000, (1,)) == (11_689_512,)


def test_mimo_on_a_transformer_has_the_published_parameters():
    assert counts(unallocated(ConViT), 100, (2,)) == (12_553_844,)


@pytest.mark.parametrize(
    ("network", "widening", "options", "classes", "published"),
    [
        ("wide", 10, {}, 100, (5_951_175_168, 5_951_681_536)),
        ("wide", 2, {}, 100, (242.68e6, 243.13e6)),
        ("wide", 10, {"strided_conv": "first"}, 100, (5.243e9,)),
        ("preact", 1, {}, 200, (555.5e6, 557.4e6)),
    ],
)
def test_networks_multiply_as_often_as_published(
    network, widening, options, classes, published
):
    backbone = shaped(network, widening, **options)
    for members, expected in enumerate(published, start=1):
        model = unallocated(lambda m=members: classifier(backbone, classes, m))
        found = multiply_accumulates(model)
        if isinstance(expected, int):
            assert found == expected
        else:
            # As many digits as are given.
            digits = len(f"{expected:.12g}".rstrip("0"))
            assert float(f"{found:.{digits - 1}e}") == expected


def test_a_second_member_costs_next_to_nothing():
    backbone = shaped("wide", 10)
    alone, two = (
        multiply_accumulates(unallocated(lambda m=m: classifier(backbone, 100, m)))
        for m in (1, 2)
    )
    assert 0 < two / alone - 1 < 0.0002


@pytest.mark.parametrize(
    ("network", "stem", "groups", "features"),
    [
        (
            "wide",
            (32, 32, 16),
            [(4, 32, 160), (4, 16, 320), (4, 8, 640)],
            640,
        ),
        (
            "preact",
            (32, 32, 64),
            [(2, 32, 640), (2, 16, 1280), (2, 8, 2560), (2, 4, 5120)],
            5120,
        ),
        (
            "resnet",
            (112, 112, 64),
            [(2, 56, 640), (2, 28, 1280), (2, 14, 2560), (2, 7, 5120)],
            5120,
        ),
    ],
)
def test_groups_have_the_published_sizes_and_stems_are_not_widened(
    network, stem, groups, features
):
    backbone = shaped(network, 10)
    assert backbone.stem.output.shape == (None, *stem)
    assert backbone.grid_shape == stem[:2]
    names = [layer.name for layer in backbone.body.layers]
    expected = []
    for i, (blocks, side, channels) in enumerate(groups):
        for j in range(blocks):
            name = f"group_{i}_block_{j}"
            expected.append(name)
            block = backbone.body.get_layer(name)
            assert block.output.shape == (None, side, side, channels), name
            assert block.stride == (2 if i and not j else 1), name
            assert (block.shortcut is None) is (j > 0), name
    assert [name for name in names if name.startswith("group_")] == expected
    assert backbone.trunk.output.shape == (None, features)
    assert backbone.compute_output_shape((5, *backbone.image_shape)) == (5, features)


@pytest.mark.parametrize("depth", [10, 16, 28, 40])
def test_depth_counts_the_layers_of_a_wide_resnet(depth):
    backbone = shaped("wide", depth=depth, image_shape=SMALL)
    blocks = [n for n in backbone.body.layers if n.name.startswith("group_")]
    # Two layers a block, the stem, the head, and two of the shortcuts.
    assert 2 * len(blocks) + 4 == depth
