import keras
import pytest
from keras import ops

from keras_mixvit.backbones import PreActResNet, ResNet
from keras_mixvit.costs import flops
from keras_mixvit.costs._cost import Cost
from keras_mixvit.models import ManifoldMixUp, MixViT, SingleNetwork
from tests.helpers import tiny_convit
from tests.plain_class_attention import PlainClassAttention

pytestmark = pytest.mark.usefixtures("_zero_weights")


def plain_network():
    inputs = keras.Input((8, 6, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    shared = keras.layers.Conv2D(4, 3, padding="same", name="shared")
    x = shared(keras.layers.ReLU()(shared(x)))
    inner = keras.Sequential([keras.Input((8, 6, 4)), keras.layers.Dense(2)])
    x = keras.layers.GlobalAveragePooling2D()(inner(x))
    return keras.Model(inputs, keras.layers.Dense(5)(x), name="plain")


def test_any_functional_model_with_shared_and_nested_layers():
    report = flops(plain_network())
    places = 8 * 6
    convolutions = places * 9 * 4 * (3 + 4 + 4)
    assert report.total.multiply_adds == convolutions + places * 4 * 2 + 2 * 5
    assert sum(row.name == "shared" for row in report.rows) == 2
    assert list(report.stages) == ["other"]
    sequential = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    assert flops(sequential).total == Cost(multiply_adds=12, biases=3)


def nodes(model):
    layers = list(model.layers)
    for layer in layers:
        layers += getattr(layer, "layers", [])
    return [(len(x._inbound_nodes), len(x._outbound_nodes)) for x in layers]


def test_the_model_is_left_as_it_was():
    model = MixViT(tiny_convit(), 5)
    plain = plain_network()
    plain.compile("sgd", "mse")
    for network in (model.inference_network, model.training_network, plain):
        before = nodes(network), network.get_config(), network.to_json()
        flops(model), flops(model, training=True), flops(plain)
        assert (nodes(network), network.get_config(), network.to_json()) == before
    assert plain.compiled
    assert not plain.optimizer.built
    assert len(model.layers) == len(MixViT(tiny_convit(), 5).layers)


class Mine(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def test_unknown_layers_are_refused_by_name_or_skipped():
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3)(Mine(name="extra")(inputs))
    model = keras.Model(inputs, outputs)
    with pytest.raises(ValueError, match="the layer 'extra' is a Mine"):
        flops(model)
    report = flops(model, unknown="skip")
    assert report.skipped == ("extra (Mine)",)
    assert report.total.multiply_adds == 12
    assert report.table().endswith("Not counted: extra (Mine).")
    with pytest.raises(ValueError, match="`unknown` must be one of 'error', 'skip'"):
        flops(model, unknown="ignore")
    sine = keras.Model(inputs, ops.sin(inputs))
    with pytest.raises(ValueError, match="is a Sin"):
        flops(sine)


def test_a_class_derived_from_a_known_one_is_not_taken_for_it(monkeypatch):
    place = "keras_mixvit.backbones._vision_transformer.ClassAttention"
    monkeypatch.setattr(place, PlainClassAttention)
    model = SingleNetwork(tiny_convit(), 5)
    name = "trunk/class_block_0/attention' is a PlainClassAttention"
    with pytest.raises(ValueError, match=name):
        flops(model)
    assert len(flops(model, unknown="skip").skipped) == 2


def test_models_that_are_no_graph_or_of_unknown_size_are_refused():
    class Subclassed(keras.Model):
        pass

    for model in (Subclassed(), keras.Sequential([keras.layers.Dense(2)])):
        with pytest.raises(ValueError, match="`model` must be a model of this lib"):
            flops(model)
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(inputs))
    with pytest.raises(ValueError, match="`model` must have inputs of a known size"):
        flops(model)


def test_backbone_and_functional_ensemble_have_the_stages_of_the_model():
    model = MixViT(tiny_convit(mean=0.5, std=0.5), 5)
    report, backbone = flops(model), flops(model.backbone)
    assert report.stages["stem"] == backbone.stages["stem"]
    assert report.stages["body"] == backbone.stages["body"]
    assert "heads" not in backbone.stages
    ensemble = flops(model.ensemble())
    stages = ensemble.stages
    # The mean of two subnetworks' logits, after their heads.
    mean = ensemble.total - report.total
    assert mean == Cost(elementwise=2 * 5)
    assert stages == {**report.stages, "other": mean}
    assert ensemble.per_subnetwork is None


def test_manifold_mixup_and_other_networks_have_every_call_in_a_stage():
    for backbone in (ResNet((32, 32, 1)), PreActResNet((16, 16, 1))):
        model = ManifoldMixUp(backbone, 5)
        inference, training = flops(model), flops(model, training=True)
        assert training.total.multiply_adds == inference.total.multiply_adds
        assert list(inference.stages) == ["stem", "body", "trunk", "heads"]
