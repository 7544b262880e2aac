"""Which layers of a pretrained network train, how fast, and from when."""

import keras
import numpy as np
import pytest

from keras_mixvit import (
    KerasBackbone,
    ManifoldMixUp,
    MixMo,
    MixViT,
    PreActResNet,
    ResNet,
    SingleNetwork,
    ViT,
    WideResNet,
    mixed_pair_dataset,
)
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.optimizers import LayerwiseAdamW
from tests.helpers import LOSS, images, numpy, tiny_convit


def keras_backbone():
    x = inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, padding="same", name="begin")(x)
    y = keras.layers.Conv2D(4, 3, padding="same", name="inside")(x)
    x = keras.layers.Add(name="skip")([x, y])
    x = keras.layers.Conv2D(4, 3, padding="same", name="middle")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return KerasBackbone(keras.Model(inputs, x), grid="begin", features="skip")


BACKBONES = {
    "convit": tiny_convit,
    "vit": lambda: ViT((8, 8, 1), 2, 16, 4, 2, 1, num_registers=1),
    "clip": lambda: ViT((8, 8, 1), 2, 16, 4, 2, 1, pre_norm=True),
    "distilled": lambda: ViT((8, 8, 1), 2, 16, 4, 2, 1, pooling="distilled"),
    "wide_resnet": lambda: WideResNet((8, 8, 1), 10, 1),
    "preact_resnet": lambda: PreActResNet((8, 8, 1)),
    "resnet": lambda: ResNet((32, 32, 1), 1),
    "keras": keras_backbone,
}
MODELS = [
    *((name, MixMo) for name in BACKBONES),
    *((name, SingleNetwork) for name in BACKBONES),
    *((name, ManifoldMixUp) for name in ("convit", "wide_resnet", "resnet")),
    *((name, MixViT) for name in ("convit", "vit", "clip")),
]


@pytest.mark.one_backend
@pytest.mark.parametrize(("name", "kind"), MODELS)
def test_every_variable_is_in_one_group(name, kind):
    model = kind(BACKBONES[name](), num_classes=5)
    found = [
        variable.path
        for group in model.layer_groups
        for layer in group
        for variable in layer.variables
    ]
    with_weights = {variable.path for variable in model.weights}
    assert with_weights <= set(found)
    assert len(found) == len(set(found))
    assert all(model.layer_groups)


class OwnBackbone(Backbone):
    """A backbone that defines what it must define."""

    def __init__(self):
        super().__init__((8, 8, 1), 1)
        self.blocks = [
            keras.layers.Conv2D(4, 3, padding="same", name=name) for name in "ab"
        ]
        self._connect()

    def make_stem(self, name="stem"):
        inputs = keras.Input(self.image_shape)
        return keras.Model(inputs, keras.layers.Conv2D(4, 1)(inputs), name=name)

    def head_initializer(self):
        return None

    def apply_blocks(self, grid, maps=None, between=None):
        for block in self.blocks:
            grid = block(grid)
        return grid

    def apply_trunk(self, grid, maps=None):
        return keras.ops.mean(grid, axis=(1, 2))


@pytest.mark.one_backend
def test_layers_of_an_own_backbone_are_its_blocks():
    groups = OwnBackbone().layer_groups
    assert [[layer.name for layer in group] for group in groups] == [
        ["stem"],
        ["a"],
        ["b"],
        [],
    ]


@pytest.mark.one_backend
def test_a_keras_backbone_has_a_block_between_two_cuts():
    model = MixMo(keras_backbone(), num_classes=5)
    names = [[layer.name for layer in group] for group in model.layer_groups]
    assert names == [["stem", "stem_1"], ["inside"], ["middle"], ["norm"], ["heads"]]


@pytest.mark.one_backend
def test_rates_fall_from_the_classes_to_the_images():
    model = MixViT(tiny_convit(num_blocks=2, num_class_blocks=1), num_classes=5)
    rates = model.layer_rates(0.5)
    assert set(rates) == {variable.path for variable in model.trainable_variables}
    by_layer = {}
    for path, rate in rates.items():
        by_layer.setdefault(path.split("/")[0], set()).add(rate)
    assert by_layer == {
        "patch_embedding": {0.0625},
        "position": {0.0625},
        "class_token": {0.0625},
        "block_0": {0.125},
        "block_1": {0.25},
        "class_block_0": {0.5},
        "norm": {1.0},
        "source_embedding": {1.0},
        "heads": {1.0},
    }


@pytest.mark.one_backend
@pytest.mark.parametrize("decay", [0, -0.1, 1.1, float("nan"), "0.5", True])
def test_wrong_decays_are_refused(decay):
    model = SingleNetwork(tiny_convit(), 5)
    with pytest.raises(ValueError, match=r"^`decay` must be a number in \(0, 1\]\. R"):
        model.layer_rates(decay)


@pytest.mark.one_backend
@pytest.mark.parametrize("count", [-1, 3, 1.0, True])
def test_wrong_counts_of_blocks_are_refused(count):
    model = SingleNetwork(tiny_convit(num_blocks=1, num_class_blocks=1), 5)
    with pytest.raises(
        ValueError,
        match=r"^`count` must be an integer from 0 to 2, the number of blocks\. "
        rf"Received: count={count}$",
    ):
        model.freeze_blocks(count)


@pytest.mark.one_backend
def test_wrong_numbers_of_batches_are_refused():
    model = SingleNetwork(tiny_convit(), 5)
    with pytest.raises(ValueError, match=r"^`batches` must be an integer of at least"):
        model.layer_starts(0)


def trained(model, optimizer, batches=3):
    """Which layers a short training moves."""
    before = {v.path: numpy(v.value).copy() for v in model.weights}
    model.compile(optimizer, LOSS)
    x, y = images(batches * 4), np.arange(batches * 4) % 5
    data = mixed_pair_dataset(x, y, model.mask_sampler(), epochs=1, batch_size=4)
    model.fit(data, epochs=1, verbose=0)
    return {
        path.split("/")[0]
        for path, value in before.items()
        for variable in model.weights
        if variable.path == path and np.any(numpy(variable.value) != value)
    }


def test_frozen_blocks_do_not_move_in_training():
    model = MixMo(WideResNet((8, 12, 3), 10, 1), num_classes=5)
    model.freeze_blocks(2)
    moved = trained(model, keras.optimizers.SGD(0.1, weight_decay=0.1))
    assert moved == {"group_2_block_0", "norm", "heads"}
    # Zero lets everything train again.
    model.freeze_blocks(0)
    moved = trained(model, keras.optimizers.SGD(0.1))
    assert moved >= {"convolution", "convolution_1", "group_0_block_0", "heads"}


@pytest.mark.parametrize(("batches", "waits"), [(3, True), (2, False)])
def test_sources_and_heads_learn_alone_at_first(batches, waits):
    model = MixViT(tiny_convit(num_blocks=1, num_class_blocks=1), num_classes=5)
    optimizer = LayerwiseAdamW(0.1, 0.1, starts=model.layer_starts(batches))
    moved = trained(model, optimizer)
    assert moved >= {"source_embedding", "heads"}
    assert (moved == {"source_embedding", "heads"}) == waits


def test_frozen_layers_have_no_rates():
    model = SingleNetwork(tiny_convit(num_blocks=2, num_class_blocks=1), 5)
    model.freeze_blocks(1)
    rates = model.layer_rates(0.5)
    assert set(rates) == {variable.path for variable in model.trainable_variables}
    optimizer = LayerwiseAdamW(0.1, rates=rates, starts=model.layer_starts(1))
    assert trained(model, optimizer) >= {"block_1", "heads"}
