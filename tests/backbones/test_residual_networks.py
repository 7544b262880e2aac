"""The convolutional networks of MixMo: counts, structure, outputs.

What `make_residual_outputs` stores was computed by networks of plain PyTorch
with the same drawn weights.
"""

import functools
import itertools
import json
import math
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_mixvit import MixMo, MixViT, SingleNetwork
from keras_mixvit.backbones import ConViT, PreActResNet, ResNet, WideResNet
from keras_mixvit.convert._mixmo import load_mixmo_weights, mixmo_weights
from tests.backbones.residual_cases import (
    BATCH,
    CASES,
    NUM_CLASSES,
    TRAINED,
    drawn_weights,
)
from tests.backbones.residual_cases import images as drawn_images
from tests.helpers import images, numpy, tiny_convit
from tests.layers.compiled import call, compiled

NETWORKS = {
    "wide": lambda shape, **options: WideResNet(
        shape, **{"depth": 10, "widening": 1, **options}
    ),
    "preact": PreActResNet,
    "resnet": ResNet,
}
EVERY_NETWORK = pytest.mark.parametrize("network", NETWORKS)
SMALL = (8, 8, 3)
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


def unallocated(function):
    """Result of a function whose variables get shapes and no values."""

    def scoped():
        with keras.StatelessScope(initialize_variables=False):
            return function()

    # Keras would give them values after all, at the end of any later scope of
    # the same thread: gigabytes, and minutes.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(scoped).result()


@functools.cache
def shaped(network, widening=1, **options):
    """A network of the published size; its weights have shapes alone."""
    classes = {"wide": WideResNet, "preact": PreActResNet, "resnet": ResNet}
    return unallocated(lambda: classes[network](widening=widening, **options))


def classifier(backbone, classes, members):
    if members == 1:
        return SingleNetwork(backbone, classes)
    return MixMo(backbone, classes, members)


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


@functools.cache
def stored(name):
    """What is stored of a case, by its name without that of the case."""
    with np.load(Path(__file__).parent / "residual_outputs.npz") as file:
        keys = [key for key in file.files if key.startswith(f"{name}/")]
        return {key.removeprefix(f"{name}/"): file[key] for key in keys}


def weights(name):
    shapes = json.loads(str(stored(name)["shapes"]))
    return drawn_weights({key: tuple(shape) for key, shape in shapes.items()})


def torchvision_variables(model):
    """Variables of a ResNet by the names of torchvision, with their heads."""
    found = {"conv1.weight": model.stem.layers[-1].kernel}

    def add(name, norm):
        found[f"{name}.weight"], found[f"{name}.bias"] = norm.gamma, norm.beta
        found[f"{name}.running_mean"] = norm.moving_mean
        found[f"{name}.running_var"] = norm.moving_variance

    add("bn1", model.body.get_layer("norm"))
    for i in range(4):
        for j in range(2):
            block, name = model.body.get_layer(f"group_{i}_block_{j}"), f"layer{i + 1}"
            for k in range(2):
                found[f"{name}.{j}.conv{k + 1}.weight"] = block.convolutions[k].kernel
                add(f"{name}.{j}.bn{k + 1}", block.norms[k])
            if block.shortcut is not None:
                found[f"{name}.{j}.downsample.0.weight"] = block.shortcut.kernel
                add(f"{name}.{j}.downsample.1", block.shortcut_norm)
    found["fc.weight"], found["fc.bias"] = model.heads.kernel, model.heads.bias
    return found


@functools.cache
def loaded_network(name):
    """Our network of a case with the drawn weights."""
    case = CASES[name]
    backbone = NETWORKS[case.network](case.image_shape)
    model = classifier(backbone, NUM_CLASSES, case.members)
    if case.network != "resnet":
        load_mixmo_weights(model, weights(name))
        return model
    variables = torchvision_variables(model)
    assert set(variables) == set(weights(name))
    for key, array in weights(name).items():
        axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[array.ndim]
        array = array.transpose(axes)
        variables[key].assign(array[None] if key.startswith("fc.") else array)
    return model


def assert_close(found, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_plain_pytorch(name):
    model = loaded_network(name)
    logits = numpy(call(model.inference_network, drawn_images(CASES[name])))
    assert logits.shape == (BATCH, CASES[name].members, NUM_CLASSES)
    assert_close(logits, stored(name)["logits"])


def test_training_and_its_running_statistics_are_those_of_plain_pytorch():
    case = CASES[TRAINED]
    # Its statistics move: a network of its own.
    model = SingleNetwork(NETWORKS[case.network](case.image_shape), NUM_CLASSES)
    load_mixmo_weights(model, weights(TRAINED))
    statistics = model.non_trainable_variables

    def train(pixels):
        logits = model.inference_network(pixels, training=True)
        return logits, [variable.value for variable in statistics]

    logits, moved = compiled(train)(drawn_images(case))
    assert_close(numpy(logits), stored(TRAINED)["training"])
    for variable, value in zip(statistics, moved, strict=True):
        variable.assign(value)
    found = mixmo_weights(model)
    expected = {
        key.removeprefix("after/"): array
        for key, array in stored(TRAINED).items()
        if key.startswith("after/")
    }
    assert set(expected) == {key for key in found if "running" in key}
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, rtol=1e-5, atol=1e-5, err_msg=key)


def kernels(backbone):
    """All kernels by the paths of their layers, and the batch norms."""
    layers = [
        layer
        for stage in (backbone.stem, backbone.body, backbone.trunk)
        for layer in stage._flatten_layers()
    ]
    convolutions = [n for n in layers if isinstance(n, keras.layers.Conv2D)]
    norms = [n for n in layers if isinstance(n, keras.layers.BatchNormalization)]
    return {n.path: numpy(n.kernel) for n in convolutions}, norms


def assert_he_normal(values, fan_in, key):
    """Requires draws of a normal that is cut at two deviations."""
    std = (2 / fan_in) ** 0.5
    tolerance = max(0.02, 5 / np.sqrt(2 * values.size))
    if keras.config.backend() == "jax":
        # The tests' own draws there may be cut by clipping, which is wider.
        tolerance += 0.1
    np.testing.assert_allclose(values.std(), std, rtol=tolerance, err_msg=key)
    sizes = np.abs(values) / (2 * std / 0.87962566)
    # On PyTorch Keras redraws three times and no more: 4 in a million are left.
    assert np.sum(sizes > 1 + 1e-6) <= 2 + 2e-5 * values.size, key
    if values.size > 1000:
        # A uniform distribution would end at 0.76.
        assert sizes.max() > 0.9, key


@EVERY_NETWORK
def test_weights_start_as_published(network):
    side = {"wide": 8, "preact": 16, "resnet": 32}[network]
    # Images of other channels than those of other tests, for fan-ins of 5.
    convolutions, norms = kernels(NETWORKS[network]((side, side, 5)))
    blocks, shortcuts = {"wide": (3, 2), "preact": (8, 3), "resnet": (8, 3)}[network]
    assert len(convolutions) == 1 + 2 * blocks + shortcuts
    for key, values in convolutions.items():
        assert_he_normal(values, math.prod(values.shape[:-1]), key)
    last = {"wide": 1, "preact": 0, "resnet": 1 + shortcuts}[network]
    assert len(norms) == 2 * blocks + last
    for norm in norms:
        for variable, value in (
            (norm.gamma, 1.0),
            (norm.beta, 0.0),
            (norm.moving_mean, 0.0),
            (norm.moving_variance, 1.0),
        ):
            np.testing.assert_array_equal(numpy(variable), value, variable.path)


def test_heads_start_as_published():
    # Twice 200 classes: a fan-in that counted members would be seen.
    wide = MixMo(WideResNet(SMALL, depth=10, widening=1), 200)
    assert_he_normal(numpy(wide.heads.kernel), 64, "heads")
    preact = MixMo(PreActResNet(SMALL), 20)
    np.testing.assert_allclose(numpy(preact.heads.kernel).std(), 0.01, rtol=0.05)
    transformer = MixMo(tiny_convit(num_blocks=1, num_class_blocks=1), 200)
    np.testing.assert_allclose(numpy(transformer.heads.kernel).std(), 0.02, rtol=0.05)
    for model in (wide, preact, transformer):
        np.testing.assert_array_equal(numpy(model.heads.bias), 0.0)
    first, second = numpy(wide.heads.kernel)
    assert np.abs(first - second).max() > 0.1


def tiny(**options):
    return NETWORKS["wide"](SMALL, **options)


def test_every_parameter_of_a_model_is_once_in_the_l2_loss():
    model = MixMo(tiny(l2=3e-4), 5)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.standard_normal(variable.shape))
    squares = sum(np.sum(numpy(v) ** 2.0) for v in model.trainable_variables)
    losses = [float(numpy(loss)) for loss in model.losses]
    assert len(losses) == len(model.trainable_variables)
    np.testing.assert_allclose(sum(losses), 3e-4 * squares, rtol=1e-4)


@EVERY_NETWORK
def test_l2_reaches_every_layer(network):
    model = unallocated(
        lambda: MixMo(NETWORKS[network]((16, 16, 3), l2=0.5), NUM_CLASSES)
    )
    for variable in model.trainable_variables:
        assert float(variable.regularizer.l2) == 0.5, variable.path
    plain = unallocated(lambda: MixMo(NETWORKS[network]((16, 16, 3)), NUM_CLASSES))
    assert {variable.regularizer for variable in plain.trainable_variables} == {None}


def test_stages_and_apply_methods_chain_to_the_model():
    for name in ("wide", "preact", "resnet"):
        backbone = shaped(name, image_shape=(16, 16, 3))
        assert backbone.stem.output.shape == backbone.body.input.shape
        assert backbone.body.output.shape == backbone.trunk.input.shape
    backbone = loaded_network("wide").backbone

    def chains(pixels):
        grid = backbone.stem(pixels)
        applied = backbone.apply_blocks(backbone.apply_position(grid))
        staged = backbone.trunk(backbone.body(grid))
        return staged, backbone.apply_trunk(applied), backbone(pixels)

    staged, applied, output = map(numpy, compiled(chains)(images(2, SMALL)))
    assert output.shape == (2, 64)
    assert np.any(output[0] != output[1])
    np.testing.assert_allclose(staged, output, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(applied, output, rtol=1e-5, atol=1e-5)


def test_something_may_happen_between_the_groups():
    backbone = shaped("preact", image_shape=(16, 16, 3))
    seen = []

    def between(i, grid):
        seen.append((i, grid.shape))
        return grid

    grid = keras.Input(backbone.stem.output.shape[1:])
    unallocated(lambda: backbone.apply_blocks(grid, between=between))
    channels = [64, 128, 256, 512]
    assert seen == [(i, (None, 8 >> i, 8 >> i, c)) for i, c in enumerate(channels)]


def test_convolutional_networks_add_no_attention_maps():
    model = loaded_network("wide")
    for blocks in (None, ["group_0_block_0"]):
        message = re.escape(
            "`backbone` must have attention; convolutional networks have none. "
            "Received: backbone='wide_resnet'"
        )
        with pytest.raises(ValueError, match=f"^{message}$"):
            model.attention_maps(images(1, SMALL), blocks)


@pytest.mark.parametrize(
    ("network", "grid", "after"),
    [
        ("wide", (16, 16), (4, 4)),
        ("preact", (8, 8), (1, 1)),
        ("resnet", (8, 8), (1, 1)),
    ],
)
def test_mixvit_is_refused_on_a_network_that_does_not_keep_its_grid(
    network, grid, after
):
    message = re.escape(
        "`backbone` must keep its grid through the body, as transformers do. "
        f"Received: grid_shape={grid}, after_body={after}"
    )
    backbone = shaped(network, image_shape=(16, 16, 3))
    with pytest.raises(ValueError, match=f"^{message}$"):
        unallocated(lambda: MixViT(backbone, 10))


@EVERY_NETWORK
def test_a_further_stem_has_layers_and_weights_of_its_own(network):
    backbone = loaded_network(network).backbone
    stems = [backbone.make_stem(f"stem_{m}") for m in (1, 2)]
    assert [stem.name for stem in stems] == ["stem_1", "stem_2"]
    assert {stem.output.shape for stem in stems} == {backbone.stem.output.shape}
    kernels = [numpy(stem.layers[-1].kernel) for stem in (backbone.stem, *stems)]
    for first, second in itertools.combinations(kernels, 2):
        assert np.mean(np.abs(first - second)) > 0.5 * np.mean(np.abs(first))


@pytest.mark.parametrize(
    ("mean", "std"),
    [((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)), (0.5, None), (None, 0.25)],
)
def test_mean_and_std_normalise_the_images_of_every_stem(mean, std):
    backbone, plain = tiny(mean=mean, std=std), tiny()
    kernel = numpy(plain.stem.layers[-1].kernel)
    stems = [backbone.stem, backbone.make_stem("stem_1")]
    for stem in stems:
        stem.layers[-1].kernel.assign(kernel)
    x = images(2, SMALL)
    by_hand = (x - (0 if mean is None else mean)) / (1 if std is None else std)
    by_hand = by_hand.astype("float32")

    def both(pixels, scaled):
        return plain.stem(scaled), [stem(pixels) for stem in stems]

    expected, found = compiled(both)(x, by_hand)
    for grid in found:
        np.testing.assert_allclose(numpy(grid), numpy(expected), rtol=1e-5, atol=1e-5)


def test_integer_images_equal_the_same_floats():
    pixels = np.random.default_rng(0).integers(256, size=(2, *SMALL)).astype("uint8")
    for backbone in (tiny(mean=127.5, std=50.0), tiny()):
        found, expected = (
            numpy(call(backbone.stem, x)) for x in (pixels, pixels.astype("float32"))
        )
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        assert np.any(found[0] != found[1])


@pytest.mark.parametrize(
    ("network", "shape", "grid"),
    [
        ("wide", (1, 1, 1), (1, 1)),
        ("wide", (7, 5, 4), (7, 5)),
        ("wide", (12, 4, 3), (12, 4)),
        ("preact", (2, 2, 1), (1, 1)),
        ("preact", (6, 10, 4), (3, 5)),
        ("resnet", (2, 2, 1), (1, 1)),
        ("resnet", (6, 10, 4), (3, 5)),
    ],
)
def test_images_may_be_tiny_odd_rectangular_and_of_any_channels(network, shape, grid):
    def features():
        backbone = NETWORKS[network](shape)
        assert backbone.grid_shape == backbone.stem.output.shape[1:3] == grid
        # Through the real layers, not what they promise.
        spec = keras.Operation.compute_output_spec(
            backbone, keras.KerasTensor((3, *shape))
        )
        return tuple(spec.shape)

    assert unallocated(features) == (3, 64 if network == "wide" else 512)


def test_odd_images_are_computed():
    backbone = NETWORKS["wide"]((5, 3, 2), strided_conv="first")
    features = numpy(call(backbone, images(2, (5, 3, 2))))
    assert np.all(np.isfinite(features))
    assert np.any(features[0] != features[1])


def test_mixed_precision_computes_in_bfloat16_and_keeps_float32():
    model = SingleNetwork(tiny(dtype="mixed_bfloat16", std=0.5), NUM_CLASSES)
    exact = SingleNetwork(tiny(std=0.5), NUM_CLASSES)
    for copy in (model, exact):
        load_mixmo_weights(copy, weights("wide"))
    backbone = model.backbone
    assert {variable.dtype for variable in model.variables} == {"float32"}
    for stage in (backbone.stem, backbone.body, backbone.trunk):
        assert keras.backend.standardize_dtype(stage.output.dtype) == "bfloat16"
        for layer in stage._flatten_layers(include_self=False):
            if layer.name == "normalization":
                assert layer.compute_dtype == "float32"
            elif not isinstance(layer, keras.layers.InputLayer):
                assert layer.compute_dtype == "bfloat16", layer.path
    x = images(3, SMALL)
    logits, expected = compiled(lambda p: (model(p), exact(p)))(x)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    logits, expected = numpy(logits), numpy(expected)
    assert np.abs(logits - expected).max() < 0.05 * np.abs(expected).max()


@EVERY_NETWORK
def test_config_makes_the_same_network(network):
    changes = {"widening": 2, "l2": 1e-4, "mean": [0.5, 0.4, 0.3], "std": 0.25}
    if network == "wide":
        changes |= {"depth": 16, "strided_conv": "first"}

    def copies():
        backbone = NETWORKS[network](
            (16, 8, 3), name="mine", dtype="mixed_bfloat16", **changes
        )
        serialised = keras.saving.serialize_keras_object(backbone)
        return (
            backbone,
            type(backbone).from_config(backbone.get_config()),
            keras.saving.deserialize_keras_object(json.loads(json.dumps(serialised))),
        )

    backbone, *others = unallocated(copies)
    config = backbone.get_config()
    assert {name: config[name] for name in changes} == {
        **changes,
        "mean": (0.5, 0.4, 0.3),
    }
    for other in others:
        assert type(other) is type(backbone)
        assert other.name == "mine"
        assert other.dtype_policy.name == "mixed_bfloat16"
        assert other.get_config() == config
        assert [(v.path, v.shape) for v in other.variables] == [
            (v.path, v.shape) for v in backbone.variables
        ]


def test_a_saved_network_comes_back_with_weights_and_statistics(tmp_path):
    model = loaded_network("wide_mixmo")
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert loaded.get_config() == model.get_config()
    expected = weights("wide_mixmo")
    found = mixmo_weights(loaded)
    assert set(found) == set(expected)
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)


DEPTH = "`depth` must be 6n + 4 with n of at least 1."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 4}, f"{DEPTH} Received: depth=4"),
        ({"depth": 18}, f"{DEPTH} Received: depth=18"),
        (
            {"depth": 10.0},
            "`depth` must be an integer of at least 1. Received: depth=10.0",
        ),
        (
            {"strided_conv": "both"},
            "`strided_conv` must be one of 'second', 'first'. "
            "Received: strided_conv='both'",
        ),
    ],
)
def test_arguments_of_wide_resnets_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        tiny(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"widening": 0},
            "`widening` must be an integer of at least 1. Received: widening=0",
        ),
        (
            {"widening": 1.5},
            "`widening` must be an integer of at least 1. Received: widening=1.5",
        ),
        ({"l2": -1e-4}, "`l2` must not be negative. Received: l2=-0.0001"),
        (
            {"image_shape": (8, 8)},
            "`image_shape` must be (height, width, channels). "
            "Received: image_shape=(8, 8)",
        ),
        (
            {"image_shape": (0, 8, 3)},
            "`image_shape` must be an integer of at least 1. Received: image_shape=0",
        ),
        (
            {"mean": (0.5, 0.5)},
            "`mean` must be a number or 3 numbers, one per channel. "
            "Received: mean=(0.5, 0.5)",
        ),
        ({"std": 0.0}, "`std` must be positive. Received: std=[0.0, 0.0, 0.0]"),
    ],
)
@EVERY_NETWORK
def test_arguments_out_of_range_are_refused(network, arguments, message):
    arguments = {"image_shape": SMALL, **arguments}
    shape = arguments.pop("image_shape")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        unallocated(lambda: NETWORKS[network](shape, **arguments))


@pytest.mark.parametrize("network", ["preact", "resnet"])
def test_stems_with_a_stride_take_images_of_even_sides(network):
    message = re.escape(
        "`patch_size` must divide the image size. "
        "Received: patch_size=2, image_size=(8, 7)"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        NETWORKS[network]((8, 7, 3))
