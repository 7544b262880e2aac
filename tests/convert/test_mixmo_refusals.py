import re

import keras
import numpy as np
import pytest

from keras_mixvit import MixMo, MixViT, SingleNetwork
from keras_mixvit.convert._mixmo import load_mixmo_weights, mixmo_weights
from tests.backbones.residual_networks import loaded_network
from tests.convert.mixmo_cases import CLASSES, assert_same, network, redrawn, shared
from tests.helpers import tiny_convit

REFUSED_MODEL = (
    "`model` must be a `SingleNetwork`, or a `MixMo` with M stems and M heads, on "
    "`WideResNet` or `PreActResNet`. Received: model="
)
REFUSED_WEIGHTS = "`weights` must have the names and shapes of the published network."


def test_everything_that_does_not_fit_is_listed_at_once_and_nothing_is_loaded():
    model = shared(2)
    before = mixmo_weights(model)
    given = redrawn(model, seed=7)
    del given["bn1.bias"], given["list_fc.1.weight"]
    given["bn3.bias"] = np.zeros(3)
    given["list_fc.2.bias"] = np.zeros(CLASSES)
    # The transpose, and the kernel as Keras has it.
    given["list_fc.0.weight"] = np.zeros((64, CLASSES))
    given["layer2.0.conv1.weight"] = np.zeros((3, 3, 16, 32))
    message = (
        f"{REFUSED_WEIGHTS} Received: "
        "missing=['bn1.bias', 'list_fc.1.weight'], "
        "unexpected=['bn3.bias', 'list_fc.2.bias'], "
        "shapes={'layer2.0.conv1.weight': '(3, 3, 16, 32) instead of (32, 16, 3, 3)', "
        "'list_fc.0.weight': '(64, 4) instead of (4, 64)'}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_mixmo_weights(model, given)
    assert_same(mixmo_weights(model), before)


@pytest.mark.parametrize(
    ("members", "others", "missing", "unexpected"),
    [
        (2, 1, "list_conv1.0.weight", "conv1.weight"),
        (1, 2, "conv1.weight", "list_conv1.0.weight"),
        (2, 3, None, "list_conv1.2.weight"),
    ],
)
def test_weights_of_another_number_of_members_are_refused(
    members, others, missing, unexpected
):
    model = shared(members)
    before = mixmo_weights(model)
    with pytest.raises(ValueError, match=f"^{re.escape(REFUSED_WEIGHTS)}") as error:
        load_mixmo_weights(model, mixmo_weights(shared(others)))
    found = str(error.value)
    listed = "missing=[]" if missing is None else f"missing=['{missing}'"
    assert listed in found
    assert f"unexpected=['{unexpected}'" in found
    assert_same(mixmo_weights(model), before)


def test_a_file_that_is_missing_is_refused(tmp_path):
    message = "`path` must be an existing file."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        load_mixmo_weights(shared(), tmp_path / "nothing.pth")


def transformer():
    return tiny_convit(num_blocks=1, num_class_blocks=1)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SingleNetwork(transformer(), CLASSES), "single_network"),
        (lambda: MixViT(transformer(), CLASSES), "mixvit"),
        (lambda: MixMo(shared().backbone, CLASSES, num_stems=1), "mixmo"),
        (lambda: MixMo(shared().backbone, CLASSES, num_classifiers=1), "mixmo"),
        (lambda: loaded_network("resnet"), "single_network"),
        (lambda: shared().backbone, "wide_resnet"),
        (lambda: keras.Sequential(name="layers"), "layers"),
    ],
    ids=["single", "mixvit", "one-stem", "one-head", "resnet", "backbone", "keras"],
)
def test_other_models_are_refused(make, name):
    model = make()
    message = f"^{re.escape(REFUSED_MODEL)}{name!r}$"
    with pytest.raises(ValueError, match=message):
        mixmo_weights(model)
    with pytest.raises(ValueError, match=message):
        load_mixmo_weights(model, {})


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match=f"^{re.escape(REFUSED_MODEL)}None$"):
        mixmo_weights(None)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value):
    model = network()
    before = mixmo_weights(model)
    wrong = redrawn(model)
    wrong["bn1.running_var"][2] = value
    message = (
        "`weights` must be finite. Weights with NaN or infinity come from a damaged "
        "file or a training that diverged. Received: not_finite="
        "{'bn1.running_var': '1 of 64 values'}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_mixmo_weights(model, wrong)
    assert_same(mixmo_weights(model), before)
