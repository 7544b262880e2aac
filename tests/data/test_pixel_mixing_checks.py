"""Options of `PixelMixing` that are refused, and data sets."""

import pytest

from keras_mixvit.data import ManifoldMixing, PixelMixing
from tests.data.pairs import pairs


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"kind": "fmix"},
            r"`kind` must be one of 'cutmix', 'mixup', 'cutmix_and_mixup'\. "
            r"Received: kind='fmix'",
        ),
        (
            {"probability": 1.5},
            r"`probability` must be in \[0, 1\]\. Received: probability=1\.5",
        ),
        (
            {"probability": -0.5},
            r"`probability` must be in \[0, 1\]\. Received: probability=-0\.5",
        ),
        (
            {"probability": float("nan")},
            r"`probability` must be in \[0, 1\]\. Received: probability=nan",
        ),
        (
            {"alpha": 0},
            r"`alpha` must be a positive finite number\. Received: alpha=0",
        ),
        (
            {"alpha": float("nan")},
            r"`alpha` must be a positive finite number\. Received: alpha=nan",
        ),
    ],
)
def test_wrong_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        PixelMixing(**options)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"pixel_mixing": PixelMixing()},
            r"`num_classes` must be given with `pixel_mixing` and integer labels\. "
            r"Received: num_classes=None",
        ),
        (
            {"pixel_mixing": "cutmix", "num_classes": 24},
            r"`pixel_mixing` must be a `PixelMixing` or None\. "
            r"Received: pixel_mixing='cutmix'",
        ),
        (
            {"pixel_mixing": ManifoldMixing(), "num_classes": 24},
            r"`pixel_mixing` must be a `PixelMixing` or None\. "
            r"Received: pixel_mixing=ManifoldMixing\(",
        ),
    ],
)
def test_a_data_set_that_it_does_not_fit_is_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        pairs(**changes)
