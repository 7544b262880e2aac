import re

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork
from keras_mixvit.models._attention_maps import attention_network
from tests.helpers import LOSS, numpy, set_weights, tiny_convit
from tests.models.attention_models import ONE_BLOCK, X


def one_block_model(members=2, **options):
    model = MixViT(tiny_convit(**ONE_BLOCK), 5, members, **options)
    set_weights(model)
    return model


def copy_weights(source, target):
    for variable, other in zip(
        target.trainable_variables, source.trainable_variables, strict=True
    ):
        # As NumPy: JAX deletes an array that two models would share.
        variable.assign(numpy(other))


@pytest.fixture(scope="module")
def parallel():
    """A model of two sources, and all its maps of all images in one batch."""
    model = one_block_model(source_attribution="encoding")
    return model, model.attention_maps(X)


def test_each_source_has_the_map_of_its_subnetwork_alone(parallel):
    model, maps = parallel
    assert maps["block_0"].shape == (5, 1, 4, 6, 6)
    found = maps["class_block_0"]
    assert found.shape == (5, 2, 4, 7)
    assert np.abs(found[:, 0] - found[:, 1]).max() > 0.01
    for source in range(2):
        alone = one_block_model(source_attribution="encoding", inference=source)
        copy_weights(model, alone)
        np.testing.assert_allclose(
            alone.attention_maps(X, ["class_block_0"])["class_block_0"],
            found[:, source : source + 1],
            atol=1e-6,
        )


def test_maps_do_not_depend_on_the_batch_size(parallel):
    model, maps = parallel
    in_pieces = model.attention_maps(X, batch_size=2)
    assert list(in_pieces) == list(maps)
    for name, expected in maps.items():
        np.testing.assert_allclose(in_pieces[name], expected, atol=1e-6)


def test_blocks_are_chosen_and_stay_in_the_order_asked_for(parallel):
    model, maps = parallel
    assert list(maps) == ["block_0", "class_block_0"]
    names = ["class_block_0", "block_0"]
    chosen = model.attention_maps(X, blocks=names)
    assert list(chosen) == names
    for name in chosen:
        np.testing.assert_allclose(chosen[name], maps[name], atol=1e-6)
    assert list(attention_network(model, ["class_block_0"]).output) == ["class_block_0"]


def test_blocks_come_in_the_order_in_which_they_run():
    # More than ten: an alphabet would put `block_10` before `block_2`.
    backbone = tiny_convit(num_blocks=11, num_class_blocks=1)
    names = [f"block_{i}" for i in range(11)] + ["class_block_0"]
    network = attention_network(SingleNetwork(backbone, 5), None)
    assert list(network.output) == names


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.tolist(),
        lambda x: x.astype("float64"),
        lambda x: keras.ops.convert_to_tensor(x),
    ],
    ids=["list", "float64", "tensor"],
)
def test_images_may_be_of_any_kind(parallel, convert):
    model, maps = parallel
    found = model.attention_maps(convert(X))
    for name, expected in maps.items():
        np.testing.assert_allclose(found[name], expected, atol=1e-6)


def test_integer_images_give_the_maps_of_the_same_floats(parallel):
    model, _ = parallel
    pixels = np.random.default_rng(0).integers(3, size=X.shape).astype("uint8")
    found = model.attention_maps(pixels)
    expected = model.attention_maps(pixels.astype("float32"))
    for name in expected:
        assert found[name].dtype == "float32"
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    assert np.ptp(expected["class_block_0"]) > 0.01


def test_new_weights_give_new_maps_of_the_same_graph(parallel, monkeypatch):
    model, maps = parallel
    calls = []
    monkeypatch.setattr(model, "_inference_network", calls.append)
    np.testing.assert_array_equal(
        model.attention_maps(X)["class_block_0"], maps["class_block_0"]
    )
    token = model.trunk.get_layer("class_token").token
    before = numpy(token).copy()
    token.assign(-before)
    changed = model.attention_maps(X)
    token.assign(before)
    assert not calls
    np.testing.assert_array_equal(changed["block_0"], maps["block_0"])
    assert np.abs(changed["class_block_0"] - maps["class_block_0"]).max() > 0.01


def test_maps_leave_the_model_as_it_was(tmp_path):
    model = one_block_model()
    model.compile("adam", LOSS)
    config, compiled_with = model.get_config(), model.get_compile_config()

    def listed():
        values = [numpy(variable).copy() for variable in model.variables]
        return [variable.path for variable in model.variables], values

    paths, values = listed()
    optimizer = model.optimizer
    model.save_weights(tmp_path / "before.weights.h5")
    model.attention_maps(X[:2])
    model.save_weights(tmp_path / "after.weights.h5")
    new_paths, new_values = listed()
    assert new_paths == paths
    for value, new in zip(values, new_values, strict=True):
        np.testing.assert_array_equal(new, value)
    assert model.optimizer is optimizer
    assert int(optimizer.iterations) == 0
    assert model.get_config() == config
    assert model.get_compile_config() == compiled_with
    assert weights_of(tmp_path / "after.weights.h5") == weights_of(
        tmp_path / "before.weights.h5"
    )
    other = one_block_model()
    other.trunk.get_layer("class_token").token.assign(np.zeros((1, 16)))
    other.load_weights(tmp_path / "after.weights.h5")
    for variable, trained in zip(
        other.trainable_variables, model.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(numpy(variable), numpy(trained))


def weights_of(path):
    """Names and shapes of the arrays in a file of weights."""
    h5py = pytest.importorskip("h5py")
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item.shape

    with h5py.File(path) as file:
        file.visititems(visit)
    assert found
    return found


def test_maps_are_float32_and_close_in_bfloat16(parallel):
    model, maps = parallel
    half = MixViT(
        tiny_convit(**ONE_BLOCK, dtype="mixed_bfloat16"),
        5,
        source_attribution="encoding",
    )
    copy_weights(model, half)
    found = half.attention_maps(X)
    assert list(found) == list(maps)
    for name, expected in maps.items():
        assert found[name].dtype == "float32"
        np.testing.assert_allclose(found[name], expected, atol=0.03)
        np.testing.assert_allclose(found[name].sum(axis=-1), 1.0, atol=0.03)
        assert np.any(found[name] != expected)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (
            ["blok_0"],
            "`blocks` must be a known name. Nearest: 'block_0'",
        ),
        (
            ["block_0", "heads"],
            "`blocks` must be a known name. Known: 'block_0', 'class_block_0'. "
            "Received: blocks='heads'",
        ),
        (
            ["class_block_1"],
            "`blocks` must be a known name. Nearest: 'class_block_0', 'block_0'. "
            "Received: blocks='class_block_1'",
        ),
    ],
)
def test_unknown_blocks_are_refused(parallel, blocks, message):
    model, _ = parallel
    with pytest.raises(ValueError, match=re.escape(message)):
        model.attention_maps(X, blocks=blocks)


@pytest.mark.parametrize("blocks", [[], "block_0"])
def test_blocks_that_are_no_list_of_names_are_refused(parallel, blocks):
    model, _ = parallel
    message = f"`blocks` must be None or a list of names. Received: blocks={blocks!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        model.attention_maps(X, blocks=blocks)


def test_a_batch_size_of_nothing_is_refused(parallel):
    model, _ = parallel
    message = "`batch_size` must be an integer of at least 1. Received: batch_size=0"
    with pytest.raises(ValueError, match=re.escape(message)):
        model.attention_maps(X, batch_size=0)


@pytest.mark.parametrize("shape", [(2, 12, 8, 3), (2, 8, 12, 1)])
def test_images_of_another_shape_are_refused(parallel, shape):
    model, _ = parallel
    message = (
        "`images` must have shape (n, H, W, C) with (H, W, C) = (8, 12, 3). "
        f"Received: shape={shape}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        model.attention_maps(np.zeros(shape, "float32"))


def test_one_image_without_a_batch_is_refused(parallel):
    model, _ = parallel
    with pytest.raises(ValueError, match="must"):
        model.attention_maps(X[0])
