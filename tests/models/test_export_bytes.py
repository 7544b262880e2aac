"""Exported models that take bytes, as image files hold them."""

import re

import keras
import numpy as np
import pytest

from tests.models.test_export import (
    IMAGES,
    PACKAGES,
    SUFFIXES,
    WRITTEN,
    answers,
    model_of,
    run_exported,
)

BYTES = IMAGES.astype("uint8")
NAME = "convit"


@pytest.mark.parametrize("format", WRITTEN)
def test_bytes_are_answered_as_their_values_are(format, tmp_path):
    for package in PACKAGES[format]:
        pytest.importorskip(package)
    path = tmp_path / f"{NAME}{SUFFIXES[format]}"
    model_of(NAME).export(path, format, verbose=False, image_dtype="uint8")
    outputs = run_exported(tmp_path, [path], BYTES)
    for batch, size in (("six", 6), ("three", 3), ("one", 1)):
        found = outputs[f"{NAME} {batch}"]
        np.testing.assert_allclose(found, answers(NAME)[:size], atol=1e-5, rtol=0)


def test_a_graph_of_bytes_is_saved_as_a_keras_model(tmp_path):
    model_of(NAME).ensemble(image_dtype="uint8").save(tmp_path / "ensemble.keras")
    ensemble = keras.saving.load_model(tmp_path / "ensemble.keras")
    assert ensemble.inputs[0].dtype == "uint8"
    found = ensemble.predict(BYTES, batch_size=3, verbose=0)
    np.testing.assert_allclose(found, answers(NAME), atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", ["int8", None, 8])
def test_images_of_another_dtype_are_refused(dtype):
    text = (
        "`image_dtype` must be one of 'float32', 'uint8'. Received: "
        f"image_dtype={dtype!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        model_of(NAME).ensemble(image_dtype=dtype)
