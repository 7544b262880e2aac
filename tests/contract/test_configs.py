"""Every argument of a public class is in its config, or an attribute."""

import inspect
import json

import keras
import numpy as np
import pytest

from keras_mixvit import backbones, data, models
from tests.contract.instances import ARGUMENTS, created, make
from tests.contract.public import (
    BASES,
    CLASSES,
    SERIALISABLE,
    own_parameters,
    parameters,
)


def test_the_table_lists_every_public_class():
    assert set(ARGUMENTS) == set(CLASSES) - BASES


# Groups of shards need batches that are shuffled and full.
ALONE = {("MixedPairDataset", "shard_groups")}


# A protocol goes with a share for validation or without.
@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - {"Data"}))
def test_the_table_leaves_no_argument_at_its_default(name):
    arguments = ARGUMENTS[name]()
    expected = own_parameters(CLASSES[name])
    assert set(arguments) == set(expected)
    for argument, parameter in expected.items():
        has_default = parameter.default is not inspect.Parameter.empty
        if has_default and (name, argument) not in ALONE:
            assert not np.all(arguments[argument] == parameter.default), argument


@pytest.mark.parametrize("name", SERIALISABLE)
def test_every_constructor_argument_is_in_the_config(name):
    assert set(own_parameters(CLASSES[name])) <= set(make(name).get_config())


def serialized(value):
    """What a config keeps of an argument."""
    objects = (keras.layers.Layer, keras.initializers.Initializer)
    if isinstance(value, keras.Model) and type(value).__module__.startswith("keras."):
        # Keras gives tuples, a file of it lists.
        return json.loads(json.dumps(keras.saving.serialize_keras_object(value)))
    is_object = isinstance(value, objects)
    return keras.saving.serialize_keras_object(value) if is_object else value


@pytest.mark.parametrize("name", SERIALISABLE)
def test_the_config_holds_the_values_that_were_given(name):
    config = make(name).get_config()
    for argument, value in ARGUMENTS[name]().items():
        value = keras.tree.map_structure(serialized, value)
        if argument == "dtype" and isinstance(config["dtype"], dict):
            value = keras.dtype_policies.serialize(keras.DTypePolicy(value))
        assert config[argument] == value, argument


@pytest.mark.parametrize("name", SERIALISABLE)
def test_from_config_gives_the_same_config(name):
    config = make(name).get_config()
    again = created(name, lambda: CLASSES[name].from_config(config))
    assert again.get_config() == config


@pytest.mark.parametrize("name", SERIALISABLE)
def test_the_config_survives_json(name):
    item = make(name)
    text = json.dumps(keras.saving.serialize_keras_object(item))
    again = created(
        name, lambda: keras.saving.deserialize_keras_object(json.loads(text))
    )
    assert type(again) is type(item)
    assert again.get_config() == item.get_config()


@pytest.mark.parametrize("name", SERIALISABLE)
def test_serialisable_classes_are_registered_under_the_package(name):
    registered = keras.saving.get_registered_name(CLASSES[name])
    assert registered == f"keras_mixvit>{name}"


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - set(SERIALISABLE)))
def test_other_classes_hold_their_arguments_as_attributes(name):
    item = make(name)
    for argument, value in ARGUMENTS[name]().items():
        # Keras would start its own threads for an attribute `workers`.
        attribute = "reading_workers" if argument == "workers" else argument
        assert np.array_equal(getattr(item, attribute), value), argument


@pytest.mark.parametrize("base", [backbones.Backbone, models.MIMOModel])
def test_arguments_of_a_base_class_reach_the_config_of_its_subclasses(base):
    derived = [item for item in CLASSES.values() if issubclass(item, base)]
    derived = [item for item in derived if item.__name__ not in BASES]
    optional = {"backbone", "ensemble_of", "num_subnetworks"}
    kept = set(parameters(base.__init__)) - optional
    for item in derived:
        instance = make(item.__name__)
        for argument in kept - {"dtype"}:
            assert hasattr(instance, argument), argument


def test_mixed_pair_dataset_is_the_short_name_of_its_class():
    assert data.mixed_pair_dataset is data.MixedPairDataset
