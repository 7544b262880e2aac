"""The arguments of MixMo, kept and refused."""

import keras
import numpy as np
import pytest

from keras_mixvit import MixMo, load_model
from tests.helpers import (
    images,
    numpy,
    set_weights,
    tiny_convit,
)
from tests.layers.compiled import compiled
from tests.models.mixmo_models import BACKBONES, ONE_BLOCK, model_of


@pytest.mark.parametrize(
    "options",
    [
        {"r": float("inf"), "inference": "parallel"},
        {"r": 0.5, "num_stems": 1, "inference": 2, "num_subnetworks": 3},
        {"num_classifiers": 1, "num_stems": 2, "name": "one_head"},
        {"ensemble_of": "probabilities", "num_stems": 1, "num_classifiers": 1},
    ],
)
@pytest.mark.parametrize("backbone", ["wide", "convit"])
def test_round_trip_keeps_every_arrangement(options, backbone, tmp_path):
    changes = {"l2": 1e-3, "mean": 0.5} if backbone == "wide" else {"mean": 0.5}
    model = MixMo(BACKBONES[backbone](**changes), 5, **options)
    set_weights(model, scale=0.2)
    for variable in model.non_trainable_variables:
        if "moving" in variable.path:
            variable.assign(np.linspace(0.5, 1.5, variable.shape[0]))
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    config = model.get_config()
    assert {name: config[name] for name in options} == options
    assert loaded.get_config() == config
    for a, b in zip(model.variables, loaded.variables, strict=True):
        assert a.path == b.path
        np.testing.assert_array_equal(numpy(a), numpy(b))
    if backbone == "wide":
        both = compiled(lambda x: (model(x), loaded(x)))(images(3))
        np.testing.assert_allclose(*map(numpy, both), rtol=1e-5, atol=1e-6)


ERRORS = {
    "r 0": ({"r": 0}, r"`r` must be positive\. Received: r=0"),
    "r negative": ({"r": -3.0}, r"`r` must be positive\. Received: r=-3\.0"),
    "r NaN": ({"r": float("nan")}, "`r` must be positive"),
    "stems": ({"num_stems": 3}, r"`num_stems` must be .*1.*2.*None"),
    "heads": ({"num_classifiers": 3}, r"`num_classifiers` must be .*1.*2.*None"),
    "one subnetwork": ({"num_subnetworks": 1}, "`num_subnetworks` must be .* 2"),
    "inference": ({"inference": "mean"}, "`inference` must be 'sum', 'parallel' or"),
    "index": ({"inference": 2}, r"index of a subnetwork, 0 to 1\. Received: .*=2"),
    "negative index": ({"inference": -1}, r"index of a subnetwork, 0 to 1\."),
    "parallel, one head": (
        {"inference": "parallel", "num_classifiers": 1},
        "`inference` must be 'sum' with one classifier",
    ),
    "index, one head": (
        {"inference": 0, "num_classifiers": 1},
        "`inference` must be 'sum' with one classifier",
    ),
    "ensemble": ({"ensemble_of": "votes"}, "`ensemble_of` must be"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_arguments_out_of_range_are_told(case):
    options, text = ERRORS[case]
    with pytest.raises(ValueError, match=text):
        MixMo(tiny_convit(**ONE_BLOCK), 5, **options)


def test_unknown_methods_and_backbones_are_told():
    with pytest.raises(ValueError, match=r"`method` must be .*'cut_mixmo'.*cutmix"):
        model_of("convit").mask_sampler("cutmix")
    with pytest.raises(ValueError, match="`mixing` must be"):
        model_of().mask_sampler(mixing="three")
    with pytest.raises(ValueError, match="`backbone` must be a `Backbone`"):
        MixMo(keras.Sequential(), 5)


@pytest.mark.parametrize("backbone", ["wide", "convit"])
def test_every_variable_has_a_name_of_its_own(backbone):
    paths = [variable.path for variable in model_of(backbone, 3).variables]
    # On PyTorch, Keras resets gradients by name, one per name.
    assert len(set(paths)) == len(paths)
