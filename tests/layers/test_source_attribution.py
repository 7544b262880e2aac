import re

import numpy as np
import pytest

from keras_mixvit.layers import SourceEmbedding, SourceEncoding
from tests.helpers import numpy, one_hot_masks, set_weights
from tests.layers.compiled import call
from tests.layers.references import noise, wide

BATCH, HEIGHT, WIDTH, FEATURES = 3, 2, 3, 4
TOKENS = noise(BATCH, HEIGHT, WIDTH, FEATURES)
LAYERS = pytest.mark.parametrize("layer_class", [SourceEncoding, SourceEmbedding])
MEMBERS = pytest.mark.parametrize("members", [2, 3])


def built(layer_class, members):
    layer = layer_class(members)
    layer.build(TOKENS.shape)
    set_weights(layer)
    return layer


def source_term(layer, token, source):
    """What Eq. 2 and Eq. 3 call s_i(t), for one token."""
    if isinstance(layer, SourceEmbedding):
        return wide(layer.embedding)[source]
    return token @ wide(layer.kernel)[source] + wide(layer.bias)[source]


def mixed_reference(layer, tokens, masks):
    output = tokens.astype("float64")
    for place in np.ndindex(tokens.shape[:-1]):
        sample, row, column = place
        for source in range(layer.num_subnetworks):
            share = masks[sample % len(masks), source, row, column]
            output[place] += share * source_term(layer, tokens[place], source)
    return output


def tiled_reference(layer, tokens, sources):
    grids = [np.array(tokens, "float64") for _ in sources]
    for grid, source in zip(grids, sources, strict=True):
        for place in np.ndindex(tokens.shape[:-1]):
            grid[place] += source_term(layer, tokens[place], source)
    return np.stack(grids, axis=1)


def shares(batch, members):
    masks = np.random.default_rng(1).random((batch, members, HEIGHT, WIDTH))
    return (masks / masks.sum(axis=1, keepdims=True)).astype("float32")


@LAYERS
@MEMBERS
@pytest.mark.parametrize("batch", [BATCH, 1])
def test_fractional_masks_mix_the_source_terms(layer_class, members, batch):
    layer, masks = built(layer_class, members), shares(batch, members)
    np.testing.assert_allclose(
        numpy(call(layer, TOKENS, masks)),
        mixed_reference(layer, TOKENS, masks),
        rtol=1e-5,
        atol=1e-5,
    )


@LAYERS
@MEMBERS
def test_one_hot_masks_select_the_source_term(layer_class, members):
    layer = built(layer_class, members)
    masks = one_hot_masks(BATCH, members, (HEIGHT, WIDTH))
    output = numpy(call(layer, TOKENS, masks))
    for sample, row, column in np.ndindex(BATCH, HEIGHT, WIDTH):
        token = TOKENS[sample, row, column]
        source = masks[sample, :, row, column].argmax()
        np.testing.assert_allclose(
            output[sample, row, column],
            token + source_term(layer, token, source),
            rtol=1e-5,
            atol=1e-5,
        )


@LAYERS
@MEMBERS
def test_without_masks_every_token_goes_to_every_source(layer_class, members):
    layer = built(layer_class, members)
    output = numpy(call(layer, TOKENS))
    assert output.shape == (BATCH, members, HEIGHT, WIDTH, FEATURES)
    np.testing.assert_allclose(
        output, tiled_reference(layer, TOKENS, range(members)), rtol=1e-5, atol=1e-5
    )


@LAYERS
@MEMBERS
def test_single_source_is_that_slice_of_all_sources(layer_class, members):
    layer = built(layer_class, members)
    source = members - 1
    output = numpy(call(layer, TOKENS, source=source))
    assert output.shape == (BATCH, 1, HEIGHT, WIDTH, FEATURES)
    np.testing.assert_allclose(
        output, tiled_reference(layer, TOKENS, [source]), rtol=1e-5, atol=1e-5
    )


@LAYERS
@MEMBERS
def test_grid_m_of_paired_grids_gets_source_m(layer_class, members):
    layer = built(layer_class, members)
    grids = noise(BATCH, members, HEIGHT, WIDTH, FEATURES, seed=2)
    expected = np.concatenate(
        [tiled_reference(layer, grids[:, m], [m]) for m in range(members)], axis=1
    )
    np.testing.assert_allclose(
        numpy(call(layer, grids)), expected, rtol=1e-5, atol=1e-5
    )


@LAYERS
@MEMBERS
def test_masks_all_on_one_source_equal_the_tiled_form(layer_class, members):
    layer = built(layer_class, members)
    tiled = numpy(call(layer, TOKENS))
    for source in range(members):
        masks = np.zeros((BATCH, members, HEIGHT, WIDTH), "float32")
        masks[:, source] = 1
        np.testing.assert_allclose(
            numpy(call(layer, TOKENS, masks)), tiled[:, source], rtol=1e-5, atol=1e-5
        )


@LAYERS
def test_layer_works_on_a_grid_of_another_shape_than_it_was_built_on(layer_class):
    layer = built(layer_class, 2)
    tokens = noise(1, 4, 5, FEATURES)
    np.testing.assert_allclose(
        numpy(call(layer, tokens)),
        tiled_reference(layer, tokens, range(2)),
        rtol=1e-5,
        atol=1e-5,
    )


@LAYERS
@pytest.mark.parametrize("source", [-1, 2])
def test_source_must_be_an_index_of_a_subnetwork(layer_class, source):
    layer = built(layer_class, 2)
    message = f"`source` must be in 0 to 1. Received: source={source}"
    with pytest.raises(ValueError, match=re.escape(message)):
        layer(TOKENS, source=source)


@LAYERS
def test_a_single_subnetwork_is_refused(layer_class):
    message = (
        "`num_subnetworks` must be an integer of at least 2. "
        "Received: num_subnetworks=1"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        layer_class(1)


@pytest.mark.parametrize("layer", [SourceEmbedding, SourceEncoding])
def test_source_beside_masks_or_paired_grids_is_refused(layer):
    masks = one_hot_masks(BATCH, 2, (HEIGHT, WIDTH))
    with pytest.raises(ValueError, match="`source` must be None with masks or with"):
        layer(2)(TOKENS, masks, source=0)
    with pytest.raises(ValueError, match="`source` must be None with masks or with"):
        layer(2)(np.stack([TOKENS, TOKENS], axis=1), source=0)


def test_vectors_alone_are_given_without_masks_only():
    layer = built(SourceEmbedding, 3)
    vectors = wide(layer.embedding)
    np.testing.assert_array_equal(numpy(call(layer, TOKENS, added=False)), vectors)
    one = numpy(call(layer, TOKENS, source=1, added=False))
    np.testing.assert_array_equal(one, vectors[1:2])
    masks = one_hot_masks(BATCH, 3, (HEIGHT, WIDTH))
    message = (
        "`added` must be True with masks or with one grid per source. "
        "Received: added=False"
    )
    for inputs in ((TOKENS, masks), (np.stack([TOKENS] * 3, axis=1),)):
        with pytest.raises(ValueError, match=re.escape(message)):
            layer(*inputs, added=False)


@LAYERS
def test_vectors_start_from_a_normal_of_two_hundredths(layer_class):
    layer = layer_class(3)
    layer.build((None, 2, 3, 400))
    for variable in layer.weights:
        values = numpy(variable)
        if variable.name == "source_bias":
            np.testing.assert_array_equal(values, 0.0)
            continue
        assert values.shape[-1] == 400
        np.testing.assert_allclose(values.std(), 0.02, rtol=0.1)
        assert abs(values.mean()) < 4 * 0.02 / np.sqrt(values.size)
        # A normal that is cut at two deviations ends at 0.04.
        assert np.abs(values).max() > 0.05
