"""What a run says about the images that train, choose and test."""

import numpy as np
import pytest

from keras_mixvit.data import ImageSet
from keras_mixvit.recipes._protocol import protocol_in_words, sets_of
from keras_mixvit.recipes._settings import Data

pytestmark = pytest.mark.one_backend


def images(count):
    labels = np.arange(count) % 2
    return ImageSet(np.zeros((count, 2, 2, 1), "uint8"), labels, ("ant", "bee"))


def words(splits, **options):
    own = {split: images(count) for split, count in splits.items()}
    data = Data("mine.npz", **options)
    return protocol_in_words(data, sets_of(data, own), own)


@pytest.mark.parametrize(
    ("splits", "options", "wanted"),
    [
        (
            {"train": 40, "test": 10},
            {"protocol": "paper"},
            "Protocol 'paper': it trains on all 40 training images; the test images "
            "evaluate every epoch. The last epoch counts; there is no best.keras.",
        ),
        (
            {"train": 40, "val": 10},
            {"protocol": "paper", "share": 0.2},
            "Protocol 'paper': it trains on 8 of the 40 training images; the val "
            "images evaluate every epoch. The last epoch counts; there is no "
            "best.keras.",
        ),
        (
            {"train": 40, "val": 10, "test": 10},
            {"share": 0.2},
            "Protocol 'validation': the 10 images of the validation split choose "
            "best.keras. The test images evaluate the last epoch.",
        ),
        (
            {"train": 40},
            {"val_share": 0.25},
            "Protocol 'validation': 10 of the 40 training images, a share of each "
            "class, choose best.keras. There is no test split: they also evaluate the "
            "last epoch, and scores of best.keras on them are too good.",
        ),
    ],
)
def test_the_protocol_in_words(splits, options, wanted):
    assert words(splits, **options) == wanted
