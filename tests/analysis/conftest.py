import pytest

from keras_mixvit.backbones import WideResNet
from keras_mixvit.models import MixMo
from tests.helpers import set_weights


@pytest.fixture(scope="module")
def mixmo():
    model = MixMo(WideResNet((8, 8, 1), depth=10, widening=2), 5, num_subnetworks=3)
    set_weights(model)
    return model
