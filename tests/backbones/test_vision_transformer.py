"""The trunk on one grid that subnetworks share, against that on M grids."""

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT
from keras_mixvit.backbones import ConViT, WideResNet
from keras_mixvit.backbones import _vision_transformer as vision_transformer
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._vision_transformer import VisionTransformer
from keras_mixvit.layers import SourceEmbedding, SourceEncoding
from tests.helpers import images, numpy, set_weights, tiny_cait, tiny_convit
from tests.layers.compiled import call, compiled
from tests.layers.references import noise
from tests.plain_class_attention import PlainClassAttention

GRID = noise(3, 2, 3, 16)


def features_and_maps(backbone, attribution, source, method):
    """What a method gives for a grid, eagerly or in one program of JAX."""

    def run(grid):
        maps = {}
        return method(backbone, grid, attribution, source, maps), maps

    features, maps = compiled(run)(keras.ops.convert_to_tensor(GRID))
    return numpy(features), {name: numpy(x) for name, x in maps.items()}


@pytest.mark.parametrize("source", [None, 1])
@pytest.mark.parametrize("make", [tiny_convit, tiny_cait])
def test_features_and_maps_are_those_of_m_grids(make, source):
    backbone, attribution = make(), SourceEmbedding(3)
    attribution.build(GRID.shape)
    set_weights(backbone)
    set_weights(attribution)
    (found, maps), (expected, expected_maps) = (
        features_and_maps(backbone, attribution, source, kind.apply_trunk_per_source)
        for kind in (VisionTransformer, Backbone)
    )
    assert found.shape == (3, 3 if source is None else 1, 16)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert list(maps) == list(expected_maps) == ["class_block_0", "class_block_1"]
    for name in maps:
        assert maps[name].shape == expected_maps[name].shape
        np.testing.assert_allclose(maps[name], expected_maps[name], atol=1e-6)


def largest_rank(network):
    """The most axes of what a layer of a graph or of its stages gives."""
    found = 0
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            found = max(found, largest_rank(layer))
        outputs = [
            output for node in layer._inbound_nodes for output in node.output_tensors
        ]
        found = max(found, *(len(output.shape) for output in outputs))
    return found


def test_inference_forms_no_grids_and_is_saved_as_a_graph(tmp_path):
    model = MixViT(tiny_cait(), 5, 3)
    set_weights(model)
    network = model.inference_network
    # M grids have five axes.
    assert largest_rank(network) == 4
    network.save(tmp_path / "graph.keras")
    loaded = keras.models.load_model(tmp_path / "graph.keras")
    x = images(2)
    np.testing.assert_allclose(
        numpy(call(loaded, x)), numpy(call(network, x)), atol=1e-6
    )


class Doubled(ConViT):
    """A backbone of a user, who writes a trunk of his own."""

    def apply_trunk(self, grid, maps=None):
        return 2.0 * super().apply_trunk(grid, maps)


def doubled():
    options = {"num_heads": 4, "num_blocks": 1, "num_class_blocks": 1}
    return Doubled((8, 12, 3), 4, 16, **options)


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (doubled, SourceEmbedding),
        (lambda: tiny_convit(trunk_attention="self_attention"), SourceEmbedding),
        (lambda: tiny_convit(num_blocks=1), SourceEncoding),
        (lambda: WideResNet((8, 12, 3), 10, 1), SourceEmbedding),
        ("plain", SourceEmbedding),
    ],
    ids=["own trunk", "self-attention", "encoding", "residual", "own attention"],
)
def test_other_trunks_run_on_m_grids(make, layer, monkeypatch):
    if make == "plain":
        monkeypatch.setattr(vision_transformer, "ClassAttention", PlainClassAttention)
        backbone = tiny_convit(num_blocks=1)
        monkeypatch.undo()
    else:
        backbone = make()
    set_weights(backbone)
    attribution = layer(2)
    grid = noise(2, *backbone.body.output.shape[1:])
    attribution.build(grid.shape)
    set_weights(attribution)

    def run(grid):
        grids = attribution(grid)
        expected = [backbone.trunk(grids[:, m]) for m in range(2)]
        found = backbone.apply_trunk_per_source(grid, attribution)
        return found, keras.ops.stack(expected, axis=1)

    found, expected = compiled(run)(keras.ops.convert_to_tensor(grid))
    np.testing.assert_allclose(numpy(found), numpy(expected), rtol=1e-5, atol=1e-5)
