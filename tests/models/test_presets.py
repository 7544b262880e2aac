"""Networks in folders and on the hub give the same predictions again."""

import json
import re

import keras
import numpy as np
import pytest

from keras_mixvit import (
    KerasBackbone,
    ManifoldMixUp,
    MixMo,
    MixViT,
    SingleNetwork,
    WideResNet,
    mixed_pair_dataset,
)
from keras_mixvit.convert import read_preset
from tests.convert.files import cubic_resized, save_cached
from tests.helpers import images, set_weights, tiny_cait, tiny_convit, tiny_vit


def residual(**changes):
    return WideResNet((8, 12, 3), **{"depth": 10, "widening": 1, **changes})


def cut_model():
    x = keras.Input((8, 12, 3))
    y = keras.layers.Conv2D(4, 3, padding="same", name="first")(x)
    y = keras.layers.BatchNormalization(name="norm")(y)
    y = keras.layers.Conv2D(6, 3, strides=2, padding="same", name="second")(y)
    return KerasBackbone(keras.Model(x, y), grid="first")


MAKE = {
    "single": lambda: SingleNetwork(tiny_cait(), 5, temperature=2.0),
    "manifold mixup": lambda: ManifoldMixUp(residual(), 5),
    "mixvit": lambda: MixViT(tiny_convit(), 5, source_attribution="encoding", seed=3),
    "mixvit of three": lambda: MixViT(tiny_vit(), 5, num_subnetworks=3),
    "mixmo": lambda: MixMo(residual(), 5),
    "mixmo of a keras model": lambda: MixMo(cut_model(), 5),
}
X = images(3)


def made(name, seed=0):
    model = MAKE[name]()
    set_weights(model, seed)
    return model


def predictions(model):
    return model.inference_network.predict(X, verbose=0)


def saved(model, folder, **options):
    model.save_to_preset(folder, **options)
    return folder


@pytest.mark.parametrize("name", MAKE)
def test_a_preset_is_the_same_model_again(name, tmp_path):
    model = made(name)
    folder = saved(model, tmp_path / "preset")
    again = type(model).from_preset(folder)
    assert type(again) is type(model)
    assert json.dumps(again.get_config()) == json.dumps(model.get_config())
    for old, new in zip(model.weights, again.weights, strict=True):
        assert new.path == old.path
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(new), keras.ops.convert_to_numpy(old)
        )
    np.testing.assert_array_equal(predictions(again), predictions(model))


def test_half_precision_returns_exactly(tmp_path):
    model = MixViT(tiny_cait(dtype="bfloat16"), 5)
    set_weights(model)
    again = MixViT.from_preset(saved(model, tmp_path / "preset"))
    assert {str(v.dtype) for v in again.weights} == {
        str(v.dtype) for v in model.weights
    }
    np.testing.assert_array_equal(predictions(again), predictions(model))


def test_frozen_layers_stay_frozen(tmp_path):
    model = made("mixmo")
    model.body.trainable = False
    again = MixMo.from_preset(saved(model, tmp_path / "preset"))
    assert len(again.trainable_weights) == len(model.trainable_weights)
    assert len(again.trainable_weights) < len(again.weights)


# Other backends compile each layer; their quantized layers have tests of their own.
@pytest.mark.one_backend
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_quantized_layers_stay_quantized(tmp_path):
    model = made("single")
    model.quantize("int8")
    folder = saved(model, tmp_path / "preset")
    again = SingleNetwork.from_preset(folder)
    np.testing.assert_allclose(predictions(again), predictions(model), atol=1e-6)
    with pytest.raises(ValueError, match="must be a preset without quantized layers"):
        SingleNetwork.from_preset(folder, num_classes=2)


def test_lora_weights_are_refused(tmp_path):
    model = made("mixvit")
    layer = model.backbone.body.get_layer("block_0").mlp.expand
    layer.enable_lora(2)
    with pytest.raises(ValueError, match=r"^`model` must have no LoRA weights"):
        model.save_to_preset(tmp_path / "preset")
    assert not (tmp_path / "preset" / "config.json").exists()


@pytest.mark.parametrize("attribution", ["embedding", "encoding"])
@pytest.mark.parametrize("backbone", [tiny_cait, tiny_convit, tiny_vit])
def test_subnetworks_of_a_single_network_start_as_it(backbone, attribution, tmp_path):
    single = SingleNetwork(backbone(), 5, temperature=2.0)
    set_weights(single)
    folder = saved(single, tmp_path / "preset")
    model = MixViT.from_preset(
        folder, num_subnetworks=3, source_attribution=attribution
    )
    assert model.temperature == 2.0
    if attribution == "embedding":
        # Small vectors tell the subnetworks apart. Without them, nothing does.
        (vectors,) = model.attribution.weights
        assert 0 < np.abs(keras.ops.convert_to_numpy(vectors)).max() < 0.1
        vectors.assign(np.zeros(vectors.shape))
        found, expected = predictions(model), predictions(single)
        np.testing.assert_allclose(
            found, np.repeat(expected, 3, axis=1), rtol=1e-5, atol=1e-5
        )
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model.heads.weights[0])[2],
        keras.ops.convert_to_numpy(single.heads.weights[0])[0],
    )


@pytest.mark.parametrize("backbone", [residual, cut_model, tiny_cait, tiny_vit])
def test_every_stem_of_a_single_network_is_a_copy(backbone, tmp_path):
    single = SingleNetwork(backbone(), 5)
    set_weights(single)
    # With another scale, the body sees what it was not trained on.
    folder = saved(single, tmp_path / "preset")
    model = MixMo.from_preset(folder, mixing_scale=1.0)
    expected = np.repeat(predictions(single), 2, axis=1)
    np.testing.assert_allclose(predictions(model), expected, rtol=1e-5, atol=1e-5)
    paths = [variable.path for stem in model.stems for variable in stem.weights]
    assert len(set(paths)) == len(paths)


def test_new_classes_have_new_heads_and_no_temperature(tmp_path):
    single = made("single")
    folder = saved(single, tmp_path / "preset")
    for kind in (SingleNetwork, MixViT):
        model = kind.from_preset(folder, num_classes=7)
        assert (model.num_classes, model.temperature) == (7, 1.0)
        assert predictions(model).shape == (3, model.num_subnetworks, 7)
        old, new = (
            {v.path: keras.ops.convert_to_numpy(v) for v in each.weights}
            for each in (single, model)
        )
        for path in old:
            if not path.startswith("heads/"):
                np.testing.assert_array_equal(new[path], old[path])


def test_another_image_size_resizes_the_positions(tmp_path):
    single = made("single")
    model = SingleNetwork.from_preset(
        saved(single, tmp_path / "preset"), image_size=(16, 16)
    )
    assert model.image_shape == (16, 16, 3)
    old, new = (
        keras.ops.convert_to_numpy(
            next(v for v in each.weights if v.path == "position/position_embedding")
        )
        for each in (single, model)
    )
    expected = cubic_resized(old, new.shape[:2])
    np.testing.assert_allclose(new, expected, rtol=1e-5, atol=1e-5)


def test_options_change_model_and_backbone(tmp_path):
    folder = saved(made("mixvit"), tmp_path / "preset")
    model = MixViT.from_preset(
        folder,
        backbone_options={"stochastic_depth_rate": 0.25},
        ensemble_of="probabilities",
    )
    assert model.backbone.get_config()["stochastic_depth_rate"] == 0.25
    assert model.ensemble_of == "probabilities"
    assert model.source_attribution == "encoding"
    expected = made("mixvit")
    np.testing.assert_array_equal(predictions(model), predictions(expected))


def test_a_preset_trains_on(tmp_path):
    folder = saved(made("single"), tmp_path / "preset")
    model = MixViT.from_preset(folder, num_classes=3)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pairs = mixed_pair_dataset(
        images(8), np.arange(8) % 3, model.mask_sampler(), epochs=1, batch_size=4
    )
    history = model.fit(pairs, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.one_backend
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"num_subnetworks": 3},
            "must be a preset whose weights fit its config and your options",
        ),
        (
            {"backbone_options": {"width": 32}},
            "must be a preset whose weights fit its config and your options",
        ),
        ({"backbone_options": {"patch_size": 2}}, "must not have `image_shape`"),
        ({"backbone_options": 3}, "`backbone_options` must be a dict of arguments"),
        ({"num_classes": 0}, "`num_classes` must be"),
        ({"image_size": 0}, "`image_size` must be"),
    ],
)
def test_options_that_do_not_fit_are_refused(change, text, tmp_path):
    folder = saved(made("mixvit"), tmp_path / "preset")
    with pytest.raises(ValueError, match=re.escape(text)):
        MixViT.from_preset(folder, **change)


@pytest.mark.one_backend
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mixmo", MixViT),
        ("mixvit", MixMo),
        ("mixvit", SingleNetwork),
        ("mixmo", SingleNetwork),
    ],
)
def test_presets_of_other_models_are_refused(name, kind, tmp_path):
    folder = saved(made(name), tmp_path / "preset")
    saved_as = {"mixmo": "MixMo", "mixvit": "MixViT"}[name]
    wanted = f"{kind.__name__} or of SingleNetwork"
    message = f"`name` must be a preset of {wanted}. Received: model={saved_as!r}"
    message = message.replace("SingleNetwork or of SingleNetwork", "SingleNetwork")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kind.from_preset(folder)


@pytest.mark.one_backend
def test_a_backbone_that_shrinks_the_grid_does_not_become_a_mixvit(tmp_path):
    single = SingleNetwork(residual(), 5)
    folder = saved(single, tmp_path / "preset")
    with pytest.raises(ValueError, match="must have the same grid before and after"):
        MixViT.from_preset(folder)


@pytest.mark.one_backend
def test_a_preset_on_the_hub_is_read_from_the_cache(tmp_path):
    model = made("single")
    folder = saved(model, tmp_path / "preset", class_names=list("abcde"))
    config = json.loads((folder / "config.json").read_text())
    weights = {v.path: np.asarray(keras.ops.convert_to_numpy(v)) for v in model.weights}
    save_cached(tmp_path / "cache", weights, config=config, repository="me/mine")
    cache = str(tmp_path / "cache")
    again = SingleNetwork.from_preset("hf://me/mine", cache_dir=cache)
    np.testing.assert_array_equal(predictions(again), predictions(model))
    assert read_preset("hf://me/mine", cache_dir=cache).class_names == tuple("abcde")
