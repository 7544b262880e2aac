"""The ViT of keras-hub itself against ours, where keras-hub is installed."""

import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork
from tests.convert.keras_hub_cases import CASES, images
from tests.convert.make_keras_hub_outputs import hub_model
from tests.helpers import numpy

keras_hub = pytest.importorskip("keras_hub")
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_the_installed_keras_hub(name):
    classifier = hub_model(name, "float32")
    expected = numpy(classifier(images(name)))
    model = SingleNetwork.from_keras_hub(classifier)
    np.testing.assert_allclose(numpy(model(images(name))), expected, **CLOSE)
    assert model.count_params() == classifier.count_params()
    if name == "average":
        return
    features = numpy(classifier.backbone(images(name)))[:, 0]
    backbone = MixViT.from_keras_hub(classifier.backbone, num_classes=3).backbone
    np.testing.assert_allclose(numpy(backbone(images(name))), features, **CLOSE)
