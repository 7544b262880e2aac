import re

import keras
import numpy as np
import pytest

from keras_mixvit import KerasBackbone, MixMo, MixViT, SingleNetwork, load_model
from keras_mixvit.data import mixed_pair_dataset
from tests.backbones.arguments import keras_model
from tests.helpers import numpy, set_weights

SHAPE = (8, 6, 2)


def images(count=3, shape=SHAPE):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype("float32")


def network():
    model = keras_model()
    set_weights(model)
    return model


def backbone(**options):
    return KerasBackbone(network(), **{"grid": "norm", "image_shape": SHAPE, **options})


def isotropic():
    """A small ConvMixer, whose grid keeps its size."""
    pixels = keras.Input((8, 8, 1))
    grid = keras.layers.Conv2D(6, 2, 2, name="patches")(pixels)
    for i in range(2):
        mixed = keras.layers.DepthwiseConv2D(3, padding="same", name=f"depth_{i}")(grid)
        grid = keras.layers.Add(name=f"sum_{i}")([grid, mixed])
        grid = keras.layers.Conv2D(6, 1, activation="gelu", name=f"point_{i}")(grid)
    model = keras.Model(pixels, grid)
    set_weights(model)
    return model


def pooled(model, x):
    return numpy(model(x)).mean((1, 2))


@pytest.mark.parametrize("grid", ["first", "norm", "added"])
def test_the_stages_chain_to_the_model_that_is_cut(grid):
    model = network()
    made = KerasBackbone(model, grid, image_shape=SHAPE)
    x = images()
    assert made.grid_shape == (4, 3)
    assert made.patch_size == 2
    np.testing.assert_allclose(numpy(made(x)), pooled(model, x), rtol=1e-5, atol=1e-6)
    chained = made.trunk(made.body(made.stem(x)))
    np.testing.assert_allclose(numpy(chained), numpy(made(x)), rtol=1e-6, atol=1e-6)
    assert made.count_params() == model.count_params()


def test_features_end_the_body():
    made = backbone(features="added")
    assert made.body.output.shape == (None, 4, 3, 4)
    names = {layer.name for layer in made.trunk.layers}
    assert names >= {"last", "keras_backbone_pool"}


def test_a_layer_of_the_model_may_be_called_pool():
    model = network()
    pool = keras.layers.MaxPooling2D(1, data_format="channels_last", name="pool")
    model = keras.Model(model.input, pool(model.output))
    made = KerasBackbone(model, "norm", "last", image_shape=SHAPE)
    x = images()
    np.testing.assert_allclose(numpy(made(x)), pooled(model, x), rtol=1e-5, atol=1e-6)


def test_a_model_may_end_in_features():
    model = network()
    pool = keras.layers.GlobalMaxPooling2D(data_format="channels_last")
    model = keras.Model(model.input, pool(model.output))
    made = KerasBackbone(model, "norm", image_shape=SHAPE)
    x = images()
    np.testing.assert_allclose(numpy(made(x)), numpy(model(x)), rtol=1e-5, atol=1e-6)
    assert made.body.output.shape == (None, 2, 2, 6)


def test_images_are_normalised_before_the_stem():
    mean, std = (0.5, -1.0), 2.0
    x = images()
    expected = pooled(network(), (x - np.float32(mean)) / np.float32(std))
    made = backbone(mean=mean, std=std)
    np.testing.assert_allclose(numpy(made(x)), expected, rtol=1e-5, atol=1e-6)
    stem = made.make_stem("stem_1")
    np.testing.assert_allclose(
        numpy(stem(x)), numpy(made.stem(x)), rtol=1e-6, atol=1e-6
    )


def test_the_model_that_was_given_is_not_changed():
    model = network()
    before = model.get_weights()
    made = KerasBackbone(model, "norm", image_shape=SHAPE)
    for variable in made.variables:
        variable.assign(variable + 1)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_stems_start_alike_and_have_variables_of_their_own():
    model = MixMo(backbone(), 3, num_subnetworks=3)
    x = images()
    first, *others = (numpy(stem(x)) for stem in model.stems)
    for other in others:
        np.testing.assert_array_equal(other, first)
    paths = [variable.path for variable in model.variables]
    assert len(set(paths)) == len(paths)
    model.stems[1].weights[0].assign(model.stems[1].weights[0] + 1)
    np.testing.assert_array_equal(numpy(model.stems[0](x)), first)


@pytest.mark.parametrize("inference", ["sum", "parallel", 1])
def test_fresh_subnetworks_read_what_the_original_computes(inference):
    # Stems are copies and the scale is 1: the mean of the stems, and each stem, is
    # the stem of the original.
    model = MixMo(backbone(), 3, inference=inference, mixing_scale=1.0)
    x = images()
    heads = model.heads.kernel, model.heads.bias
    kernel, bias = (keras.ops.convert_to_numpy(v) for v in heads)
    expected = np.einsum("bf,mfk->bmk", pooled(network(), x), kernel) + bias
    if inference == 1:
        expected = expected[:, 1:]
    found = numpy(model.inference_network(x))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_mixvit_without_sources_computes_the_original():
    model = isotropic()
    made = MixViT(KerasBackbone(model, "patches"), 3, source_attribution=None)
    x = images(2, (8, 8, 1))
    expected = (
        pooled(model, x) @ numpy(made.heads.kernel)[1] + numpy(made.heads.bias)[1]
    )
    found = numpy(made.inference_network(x))[:, 1]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["mixmo", "mixvit", "single"])
def test_it_trains_and_is_saved(kind, tmp_path):
    x, y = images(8, (8, 8, 1)), np.arange(8) % 3
    made = KerasBackbone(isotropic(), "patches", "point_0")
    kinds = {"mixmo": MixMo, "mixvit": MixViT, "single": SingleNetwork}
    model = kinds[kind](made, 3)
    model.compile(optimizer=keras.optimizers.SGD(0.01), loss=loss())
    before = [numpy(variable) for variable in model.trainable_variables]
    pairs = mixed_pair_dataset(x, y, model.mask_sampler(), epochs=1, batch_size=4)
    history = model.fit(pairs, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    for old, new in zip(before, model.trainable_variables, strict=True):
        assert np.abs(numpy(new) - old).max() > 0, new.path
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6, atol=1e-6
    )


def loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def test_batch_norm_is_that_of_the_whole_batch():
    made = backbone()
    norm = next(layer for layer in made.stem.layers if layer.name == "norm")
    assert norm.moving_mean.is_of_all_replicas
    (config,) = (
        layer
        for layer in made.get_config()["model"]["config"]["layers"]
        if layer["config"]["name"] == "norm"
    )
    assert (config["module"], config["class_name"]) == (
        "keras.layers",
        "BatchNormalization",
    )


def test_half_precision_is_that_of_the_model():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = isotropic()
    keras.config.set_dtype_policy("float32")
    made = KerasBackbone(model, "patches")
    assert made.dtype_policy.name == "mixed_bfloat16"
    assert made.body.output.dtype == "bfloat16"
    assert (
        KerasBackbone(model, "patches", dtype="float32").body.output.dtype == "float32"
    )
    assert MixMo(made, 3).training_network.output.dtype == "float32"


CUT = "must be a layer at which `model` can be cut: later layers read only its "


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"grid": "branch"},
            f"`grid` {CUT}output, which is a grid that divides the images. "
            "Nearest: 'added'. Received: grid='branch'",
        ),
        (
            {"grid": "last"},
            f"`grid` {CUT}output, which is a grid that divides the images. "
            "Nearest: 'added'. Received: grid='last'",
        ),
        (
            {"grid": "nrom"},
            "`grid` must be a known name. Nearest: 'norm'. Received: grid='nrom'",
        ),
        (
            {"grid": "added", "features": "norm"},
            f"`features` {CUT}output, which is a grid after `grid`. Nearest: 'last'. "
            "Received: features='norm'",
        ),
        (
            {"image_shape": None},
            "`image_shape` must be given: `model` takes images of any size. Received: "
            "image_shape=None",
        ),
        (
            {"image_shape": (8, 6, 3)},
            "`image_shape` must be a shape of images that `model` takes. Received: "
            "image_shape=(8, 6, 3) (",
        ),
    ],
)
def test_what_cannot_be_cut_is_refused(options, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        backbone(**options)


def test_a_grid_comes_before_the_end():
    model = network()
    model = keras.Model(model.input, model.get_layer("added").output)
    text = (
        "`grid` must be a layer before the last one with a grid. Received: "
        "grid='added', last='added'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        KerasBackbone(model, "added", image_shape=SHAPE)


def classifier():
    model = network()
    x = keras.layers.GlobalAveragePooling2D(data_format="channels_last")(model.output)
    return keras.Model(model.input, keras.layers.Dense(3, activation="softmax")(x))


def two_inputs():
    pixels = [keras.Input(SHAPE), keras.Input(SHAPE)]
    return keras.Model(pixels, keras.layers.Add()(pixels))


class Subclassed(keras.Model):
    def call(self, x):
        return x


FUNCTIONAL = (
    "`model` must be a functional `keras.Model` of one input, images (B, H, W, C). "
)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (two_inputs, FUNCTIONAL),
        (Subclassed, FUNCTIONAL),
        (lambda: "resnet50", FUNCTIONAL),
        (classifier, "`model` must end before its classifier (`include_top=False`): "),
    ],
    ids=["two inputs", "subclassed", "no model", "classifier"],
)
def test_other_models_are_refused(make, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        KerasBackbone(make(), "norm", image_shape=SHAPE)
