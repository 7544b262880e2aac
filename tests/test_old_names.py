"""Configs that earlier versions wrote make the same models."""

import pytest

from keras_mixvit import ManifoldMixUp, MixMo
from keras_mixvit._old_names import RENAMED, with_new_names
from keras_mixvit.backbones import WideResNet
from keras_mixvit.layers import PreActivationBlock


def backbone():
    return WideResNet((8, 8, 1), depth=10, widening=1, strided_conv="first")


MADE = {
    "ManifoldMixUp": lambda: ManifoldMixUp(backbone(), 3, num_layers=2),
    "MixMo": lambda: MixMo(backbone(), 3, num_classifiers=1),
    "PreActivationBlock": lambda: PreActivationBlock(4, strided_conv="second"),
    "WideResNet": backbone,
}


def with_old_names(name, config):
    old = {new: old for old, new in RENAMED.get(name, {}).items()}
    config = {old.get(key, key): value for key, value in config.items()}
    if "backbone" in config:
        part = config["backbone"]
        part["config"] = with_old_names(part["class_name"], part["config"])
    return config


@pytest.mark.parametrize("name", sorted(RENAMED))
def test_a_config_with_old_names_makes_the_same_object(name):
    made = MADE[name]()
    config = with_old_names(name, made.get_config())
    assert set(config) & set(RENAMED[name])
    assert type(made).from_config(config).get_config() == made.get_config()


def test_subclasses_have_the_old_names_of_their_base():
    class Mine(WideResNet):
        pass

    assert with_new_names(Mine, {"strided": "first"}) == {"strided_conv": "first"}
