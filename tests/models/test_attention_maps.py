import re

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork
from keras_mixvit.layers import (
    ClassAttentionBlock,
    GatedPositionalAttention,
    TalkingHeadsAttention,
)
from keras_mixvit.models._attention_maps import attention_network
from tests.helpers import LOSS, images, numpy, set_weights, tiny_cait, tiny_convit
from tests.layers.compiled import compiled
from tests.layers.references import (
    dense,
    layer_norm,
    merge_heads,
    mlp,
    split_heads,
    wide,
)

X = images(5)
ONE_BLOCK = {"num_blocks": 1, "num_class_blocks": 1}


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


def published(**changes):
    return tiny_convit(**{"trunk_attention": "self_attention", **changes})


def map_shapes(model):
    """Shapes of the maps of two images, of which nothing is computed."""
    network = attention_network(model, None)
    maps = network.compute_output_spec(keras.KerasTensor((2, 8, 12, 3)))
    return {
        name: (2, spec.shape[0] // 2, *spec.shape[1:]) for name, spec in maps.items()
    }


@pytest.mark.parametrize(
    ("position", "options", "of_body", "of_trunk"),
    [
        ("late", {}, 1, 3),
        ("late", {"inference": "sum"}, 1, 1),
        ("late", {"inference": "alternating"}, 1, 1),
        ("late", {"inference": 2}, 1, 1),
        ("late", {"source_attribution": None}, 1, 1),
        ("early", {}, 3, 3),
        ("early", {"inference": "sum"}, 1, 1),
        ("early", {"source_attribution": None, "inference": 1}, 1, 1),
    ],
)
def test_blocks_have_a_map_for_each_time_they_run(position, options, of_body, of_trunk):
    backbone = published(num_blocks=1, num_class_blocks=2)
    model = MixViT(backbone, 5, 3, attribution_position=position, **options)
    assert map_shapes(model) == {
        "block_0": (2, of_body, 4, 6, 6),
        "class_block_0": (2, of_trunk, 4, 7, 7),
        "class_block_1": (2, of_trunk, 4, 7),
    }


@pytest.mark.parametrize("position", ["late", "early"])
def test_all_tokens_have_maps_over_the_grids_of_all_sources(position):
    options = {"input_mixing": "all_tokens", "attribution_position": position}
    model = MixViT(published(num_blocks=1), 5, 3, **options)
    assert map_shapes(model) == {
        "block_0": (2, 1, 4, 18, 18),
        "class_block_0": (2, 1, 4, 19, 19),
        "class_block_1": (2, 1, 4, 19),
    }


def test_single_network_and_talking_heads_have_maps_of_one_pass():
    assert map_shapes(SingleNetwork(tiny_cait(), 5)) == {
        "block_0": (2, 1, 2, 6, 6),
        "block_1": (2, 1, 2, 6, 6),
        "class_block_0": (2, 1, 2, 7),
        "class_block_1": (2, 1, 2, 7),
    }


def value_heads(attention, normed):
    if isinstance(attention, GatedPositionalAttention):
        value = dense(normed, attention.value)
    else:
        value = np.split(dense(normed, attention.qkv), 3, axis=-1)[2]
    return split_heads(value, attention.num_heads)


def branch_of(block, weights, tokens, grid):
    """What the attention of a block adds, from its weights `(B, heads, ...)`."""
    attention = block.attention
    normed = layer_norm(tokens, block.attention_norm, block.epsilon)
    if not isinstance(block, ClassAttentionBlock):
        attended = merge_heads(weights @ value_heads(attention, normed))
        return dense(attended, attention.projection)
    all_tokens = np.concatenate([tokens[:, None], grid], axis=1)
    normed = layer_norm(all_tokens, block.attention_norm, block.epsilon)
    value = normed @ wide(attention.value_kernel)
    if attention.qkv_bias:
        value = value + wide(attention.value_bias)
    value = split_heads(value, attention.num_heads)
    attended = merge_heads(weights[:, :, None] @ value)[:, 0]
    return attended @ wide(attention.projection_kernel) + wide(
        attention.projection_bias
    )


def output_of(block, weights, tokens, grid=None):
    """Output of a block, from its weights and NumPy."""
    branch = branch_of(block, weights, tokens, grid)
    if block.attention_scale is not None:
        branch = branch * wide(block.attention_scale.gain)
    tokens = tokens + branch
    branch = mlp(layer_norm(tokens, block.mlp_norm, block.epsilon), block.mlp)
    if block.mlp_scale is not None:
        branch = branch * wide(block.mlp_scale.gain)
    return tokens + branch


def inputs_and_outputs(backbone):
    """Function from images to (input, output) of each block, as it really runs."""
    body, trunk = backbone.body, backbone.trunk
    self_attention = getattr(backbone, "trunk_attention", "") == "self_attention"

    def run(pixels):
        grid = body.get_layer("position")(backbone.stem(pixels))
        found = {}
        for i in range(backbone.num_blocks):
            output = body.get_layer(f"block_{i}")(grid)
            found[f"block_{i}"] = (grid, output)
            grid = output
        token = trunk.get_layer("class_token")(grid)
        batch, *_, width = grid.shape
        flat = keras.ops.reshape(grid, (batch, -1, width))
        for i in range(backbone.num_class_blocks):
            block = trunk.get_layer(f"class_block_{i}")
            if self_attention and not isinstance(block, ClassAttentionBlock):
                tokens = keras.ops.concatenate([token[:, None], flat], axis=1)
                output = block(tokens)
                found[block.name] = (tokens, output)
                token, flat = output[:, 0], output[:, 1:]
            else:
                rows = keras.ops.reshape(flat, grid.shape)
                output = block(token, rows)
                found[block.name] = (token, flat, output)
                token = output
        return found

    return run


@pytest.mark.parametrize(
    "make",
    [
        lambda: published(num_blocks=1, num_class_blocks=2),
        lambda: tiny_cait(**ONE_BLOCK),
    ],
    ids=["convit", "cait"],
)
def test_maps_give_the_output_of_every_block(make):
    backbone = make()
    model = SingleNetwork(backbone, 5)
    set_weights(model)
    maps = model.attention_maps(X)
    found = compiled(inputs_and_outputs(backbone))(X)
    assert list(maps) == list(found)
    for name, arrays in found.items():
        *inputs, output = (
            wide(array).reshape(5, -1, 16) if array.ndim == 4 else wide(array)
            for array in arrays
        )
        stage = backbone.trunk if name.startswith("class") else backbone.body
        block = stage.get_layer(name)
        assert maps[name].dtype == "float32"
        assert maps[name].shape[1] == 1
        weights = maps[name][:, 0].astype("float64")
        np.testing.assert_allclose(
            output_of(block, weights, *inputs), output, atol=1e-5, err_msg=name
        )
        # Heads that talk after the softmax need not sum to one.
        if not isinstance(block.attention, TalkingHeadsAttention):
            assert weights.min() >= 0
            np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)


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
