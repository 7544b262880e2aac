"""Where the subnetworks look, as a picture."""

import importlib.util
import io

import numpy as np
import pytest
from PIL import Image

from keras_mixvit import MixViT, PreActResNet, SingleNetwork
from keras_mixvit.prediction._attention import attention_of
from tests.helpers import tiny_convit, tiny_vit
from tests.prediction.files import linear, pictures

IMAGE = pictures(1, (8, 12, 3))[0]


@pytest.mark.parametrize(
    ("model", "block"),
    [
        (lambda: MixViT(tiny_convit(), 3), "class_block_1"),
        (lambda: SingleNetwork(tiny_vit(num_class_blocks=1), 3), "class_block_0"),
    ],
    ids=["subnetworks", "registers"],
)
def test_the_last_block_is_drawn(model, block):
    pytest.importorskip("matplotlib")
    found, why = attention_of(model())
    assert (found.block, why) == (block, "")
    with Image.open(io.BytesIO(found.picture(IMAGE))) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 100
        assert np.asarray(picture).std() > 0


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (linear, "This model has no attention maps."),
        (
            lambda: SingleNetwork(PreActResNet((8, 12, 3)), 3),
            "A convolutional network has no attention maps.",
        ),
        (
            lambda: MixViT(tiny_convit(), 3, input_mixing="all_tokens"),
            "The attention of this model is on no single grid of the image.",
        ),
    ],
    ids=["no backbone", "convolutions", "all tokens"],
)
def test_without_maps_a_sentence_says_why(model, why):
    pytest.importorskip("matplotlib")
    assert attention_of(model()) == (None, why)


def test_without_matplotlib_there_are_no_maps(monkeypatch):
    find_spec = importlib.util.find_spec

    def find(name, *args):
        return None if name == "matplotlib" else find_spec(name, *args)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    assert attention_of(MixViT(tiny_convit(), 3)) == (
        None,
        'Attention maps need Matplotlib: pip install "keras_mixvit[demo]".',
    )
