import functools
import re
import resource
import sys

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork
from keras_mixvit.backbones import CaiT, ConViT, backbone_names, make_backbone
from tests.helpers import images, numpy, unallocated
from tests.layers.compiled import call

SETTINGS = (
    ((224, 224, 3), 16, 1000),
    ((32, 32, 3), 4, 100),
    ((64, 64, 3), 8, 200),
)
CAIT = {
    "cait_xxs24": (192, 24, 4, 1e-5, 0.05, 11_956_264, 11_618_980, 11_665_928),
    "cait_xxs36": (192, 36, 4, 1e-5, 0.1, 17_299_720, 16_962_436, 17_009_384),
    "cait_xs24": (288, 24, 6, 1e-5, 0.05, 26_560_648, 26_055_172, 26_125_544),
    "cait_s24": (384, 24, 8, 1e-5, 0.1, 46_916_200, 46_242_532, 46_336_328),
    "cait_s36": (384, 36, 8, 1e-6, 0.2, 68_220_712, 67_547_044, 67_640_840),
    "cait_m24": (768, 24, 16, 1e-5, 0.2, 185_850_088, 184_503_652, 184_691_144),
    "cait_m36": (768, 36, 16, 1e-6, 0.3, 270_929_512, 269_583_076, 269_770_568),
    "cait_m48": (768, 48, 16, 1e-6, 0.4, 356_008_936, 354_662_500, 354_849_992),
}
CONVIT = {
    "convit_tiny": (192, 4, 10, 2, "self_attention", 1e-6, 0.1),
    "convit_small": (432, 9, 10, 2, "self_attention", 1e-6, 0.1),
    "convit_base": (768, 16, 10, 2, "self_attention", 1e-6, 0.1),
    "convit_mixvit": (384, 12, 5, 2, "class_attention", 1e-6, 0.0),
    "convit_dytox": (384, 12, 5, 1, "class_attention", 1e-5, 0.1),
}
VIT = (
    *("vit_tiny_patch16", "vit_small_patch16", "vit_base_patch16"),
    *("vit_large_patch16", "deit_tiny_patch16", "deit_small_patch16"),
    *("deit_base_patch16", "deit_tiny_distilled_patch16"),
    *("deit_small_distilled_patch16", "deit_base_distilled_patch16"),
    *("deit3_small_patch16", "deit3_base_patch16"),
    *("vit_small_patch14_reg4_dinov2", "vit_base_patch14_reg4_dinov2"),
    *("vit_base_patch32_clip", "vit_base_patch16_clip", "vit_large_patch14_clip"),
    *("vit_base_patch32_clip_quickgelu", "vit_base_patch16_clip_quickgelu"),
    "vit_large_patch14_clip_quickgelu",
)
NAMES = (*CAIT, *CONVIT, *VIT)
CONVIT_COUNTS = [
    ("convit_tiny", (224, 224, 3), 16, 1000, 5_710_512),
    ("convit_small", (224, 224, 3), 16, 1000, 27_777_322),
    ("convit_base", (224, 224, 3), 16, 1000, 86_540_040),
    ("convit_mixvit", (32, 32, 3), 4, 100, 12_496_528),
    ("convit_mixvit", (64, 64, 3), 8, 200, 12_590_324),
    ("convit_mixvit", (224, 224, 3), 16, 100, 12_823_696),
    ("convit_dytox", (32, 32, 3), 4, 100, 10_723_216),
]


@functools.cache
def shaped(name, image_shape, patch_size):
    return unallocated(lambda: make_backbone(name, image_shape, patch_size))


def count(model_class, backbone, classes, **arguments):
    return unallocated(
        lambda: model_class(backbone, classes, **arguments).count_params()
    )


def peak_memory():
    """The most memory that the process ever held, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_names_are_those_of_the_papers():
    assert backbone_names() == NAMES


@pytest.mark.parametrize("name", CAIT)
def test_cait_has_the_published_parameters(name):
    counts = [
        count(SingleNetwork, shaped(name, image_shape, patch_size), classes)
        for image_shape, patch_size, classes in SETTINGS
    ]
    assert tuple(counts) == CAIT[name][5:]


@pytest.mark.parametrize(
    ("name", "image_shape", "patch_size", "classes", "published"), CONVIT_COUNTS
)
def test_convit_has_the_published_parameters(
    name, image_shape, patch_size, classes, published
):
    backbone = shaped(name, image_shape, patch_size)
    assert count(SingleNetwork, backbone, classes) == published


@pytest.mark.parametrize(
    ("source_attribution", "published"),
    [("embedding", 12_535_796), ("encoding", 12_830_708)],
)
def test_mixvit_of_its_convit_has_the_published_parameters(
    source_attribution, published
):
    backbone = shaped("convit_mixvit", (32, 32, 3), 4)
    found = count(MixViT, backbone, 100, source_attribution=source_attribution)
    assert found == published


def test_counting_allocates_no_weights():
    before = peak_memory()
    parameters = unallocated(lambda: make_backbone("cait_m48").count_params())
    # Weights would be four times as many bytes.
    assert peak_memory() - before < parameters


def rates(backbone):
    blocks = [backbone.body.get_layer(f"block_{i}") for i in range(backbone.num_blocks)]
    blocks += [
        backbone.trunk.get_layer(f"class_block_{i}")
        for i in range(backbone.num_class_blocks)
    ]
    return [block.stochastic_depth_rate for block in blocks]


@pytest.mark.parametrize("name", CAIT)
def test_cait_has_the_published_arguments(name):
    width, num_blocks, num_heads, layer_scale, depth_rate, *_ = CAIT[name]
    backbone = shaped(name, *SETTINGS[0][:2])
    assert type(backbone) is CaiT
    assert backbone.name == name
    assert backbone.image_shape == (224, 224, 3)
    assert backbone.patch_size == 16
    assert (backbone.width, backbone.num_heads) == (width, num_heads)
    assert (backbone.num_blocks, backbone.num_class_blocks) == (num_blocks, 2)
    assert backbone.layer_scale == layer_scale
    assert (backbone.epsilon, backbone.mlp_ratio) == (1e-6, 4.0)
    assert backbone.qkv_bias is True
    assert backbone.dropout_rate == backbone.attention_dropout_rate == 0.0
    assert rates(backbone) == [depth_rate] * num_blocks + [0.0, 0.0]


@pytest.mark.parametrize("name", CONVIT)
def test_convit_has_the_published_arguments(name):
    width, num_heads, num_blocks, num_class_blocks, trunk, epsilon, last_rate = CONVIT[
        name
    ]
    setting = next(row[1:3] for row in CONVIT_COUNTS if row[0] == name)
    backbone = shaped(name, *setting)
    assert type(backbone) is ConViT
    assert backbone.name == name
    assert (backbone.width, backbone.num_heads) == (width, num_heads)
    assert backbone.num_blocks == num_blocks
    assert backbone.num_class_blocks == num_class_blocks
    assert backbone.trunk_attention == trunk
    assert backbone.layer_scale is None
    assert (backbone.epsilon, backbone.mlp_ratio) == (epsilon, 4.0)
    assert backbone.qkv_bias is False
    assert backbone.locality_strength == 1.0
    assert backbone.dropout_rate == backbone.attention_dropout_rate == 0.0
    rising = [
        last_rate * i / (num_blocks + num_class_blocks - 1)
        for i in range(num_blocks + num_class_blocks)
    ]
    np.testing.assert_allclose(rates(backbone), rising, atol=1e-12)


def test_changes_override_what_the_name_says():
    backbone = make_backbone(
        "convit_tiny",
        (8, 12, 1),
        patch_size=4,
        width=16,
        num_blocks=1,
        num_class_blocks=1,
        trunk_attention="class_attention",
        epsilon=1e-3,
        stochastic_depth_rate=0.5,
        mean=0.5,
    )
    assert backbone.name == "convit_tiny"
    assert (backbone.width, backbone.num_heads, backbone.num_blocks) == (16, 4, 1)
    assert backbone.trunk_attention == "class_attention"
    assert backbone.epsilon == 1e-3
    assert rates(backbone) == [0.0, 0.5]
    assert backbone.mean == 0.5
    assert backbone.qkv_bias is False
    assert backbone.grid_shape == (2, 3)


def test_names_do_not_share_their_changes():
    first = make_backbone(
        "cait_xxs24", (8, 8, 1), 4, width=8, num_heads=2, num_blocks=1
    )
    assert first.num_blocks == 1
    assert shaped("cait_xxs24", *SETTINGS[0][:2]).num_blocks == 24
    second = make_backbone("cait_xxs24", (8, 8, 1), 4, num_blocks=1)
    assert second.width == 192


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cait_xss24", "Nearest: 'cait_xs24', 'cait_xxs24', 'cait_s24'."),
        ("convit_large", "Nearest: 'convit_"),
        (
            "resnet",
            "Known: " + ", ".join(map(repr, NAMES)) + ".",
        ),
        (3, "Known: 'cait_xxs24', "),
    ],
)
def test_unknown_names_are_refused_with_a_hint(name, hint):
    with pytest.raises(ValueError, match="`name` must be a known name") as error:
        make_backbone(name)
    message = str(error.value)
    assert message.startswith(f"`name` must be a known name. {hint}")
    assert message.endswith(f"Received: name={name!r}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"num_heads": 5},
            "`num_heads` must divide the width. Received: num_heads=5, width=192",
        ),
        (
            {"image_shape": (20, 32, 3)},
            "`patch_size` must divide the image size. "
            "Received: patch_size=16, image_size=(20, 32)",
        ),
        (
            {"stochastic_depth_rate": 1.0},
            "`stochastic_depth_rate` must be in [0, 1). "
            "Received: stochastic_depth_rate=1.0",
        ),
    ],
)
@pytest.mark.parametrize("name", ["cait_xxs24", "convit_tiny"])
def test_changes_out_of_range_are_refused(name, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        unallocated(lambda: make_backbone(name, **changes))


def test_changes_that_the_backbone_does_not_have_are_refused():
    with pytest.raises(TypeError, match="trunk_attention"):
        make_backbone("cait_xxs24", trunk_attention="self_attention")


@pytest.mark.parametrize("name", ["cait_s36", "convit_tiny", "convit_dytox"])
def test_config_of_a_named_backbone_makes_it_again(name):
    def copies():
        backbone = make_backbone(name, (8, 12, 3), 4, num_blocks=1)
        serialised = keras.saving.serialize_keras_object(backbone)
        return (
            backbone,
            type(backbone).from_config(backbone.get_config()),
            keras.saving.deserialize_keras_object(serialised),
        )

    backbone, *others = unallocated(copies)
    for other in others:
        assert type(other) is type(backbone)
        assert other.get_config() == backbone.get_config()
        assert other.name == name
        assert rates(other) == rates(backbone)
        assert [(v.path, v.shape) for v in other.trainable_variables] == [
            (v.path, v.shape) for v in backbone.trainable_variables
        ]


def test_saved_named_backbone_gives_the_same_features(tmp_path):
    backbone = make_backbone(
        "cait_xxs24", (8, 12, 3), 4, width=16, num_blocks=1, num_class_blocks=1
    )
    path = tmp_path / "backbone.keras"
    backbone.save(path)
    loaded = keras.saving.load_model(path)
    assert loaded.get_config() == backbone.get_config()
    x = images(2)
    np.testing.assert_allclose(
        numpy(call(loaded, x)), numpy(call(backbone, x)), rtol=1e-6, atol=1e-6
    )
