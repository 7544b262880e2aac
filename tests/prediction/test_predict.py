"""Every number of a prediction, against plain NumPy."""

import json

import numpy as np
import pytest
from PIL import Image

import keras_mixvit
from keras_mixvit import load
from keras_mixvit.metrics import ConformalSets
from keras_mixvit.prediction import predict
from tests.prediction.files import (
    CLASSES,
    SHAPE,
    column,
    energy,
    entropy,
    linear,
    mode_files,
    pictures,
    softmax,
    subnetwork_logits,
)


def test_the_library_itself_has_the_function():
    assert keras_mixvit.predict is predict
    assert {"predict", "prediction"} <= set(dir(keras_mixvit))


def test_every_number_is_that_of_numpy(run, models):
    folder, val, labels = run
    model, x = models["a"], pictures(70)
    model.temperature = 1.7
    found = list(predict(str(folder), x, top=2, sets=0.2, batch_size=32))
    z = subnetwork_logits(model, x)
    shares = softmax(z.mean(axis=1) / 1.7)
    order = np.argsort(-shares, axis=1)
    assert [each.image for each in found] == [f"images[{i}]" for i in range(70)]
    for i, each in enumerate(found):
        assert each.classes == tuple(CLASSES[k] for k in order[i, :2])
        np.testing.assert_allclose(each.probabilities, shares[i, order[i, :2]], 1e-5)
        assert each.error is None
    np.testing.assert_allclose(column(found, "entropy"), entropy(shares), 1e-5)
    each = softmax(z / 1.7)
    information = entropy(each.mean(axis=1)) - entropy(each).mean(axis=1)
    np.testing.assert_allclose(
        column(found, "mutual_information"), information, atol=1e-5
    )
    differ = z[:, 0].argmax(-1) != z[:, 1].argmax(-1)
    assert 0 < differ.mean() < 1
    np.testing.assert_array_equal(column(found, "disagreement"), differ)
    # As if the temperature was 1.
    plain, known = z.mean(axis=1), subnetwork_logits(model, val).mean(axis=1)
    np.testing.assert_allclose(column(found, "unlikeness"), energy(plain), 1e-5)
    limit = np.quantile(energy(known), 0.95)
    unlike = energy(plain) > limit
    assert 0 < unlike.mean() < 1
    np.testing.assert_array_equal(column(found, "unlike_training"), unlike)
    sets = ConformalSets.fit(known, labels, "lac", 0.8).predict(plain)
    for i, each in enumerate(found):
        assert each.prediction_set == tuple(CLASSES[k] for k in order[i] if sets[i, k])


def test_classes_are_those_that_the_model_predicts(run, models):
    folder, _, _ = run
    models["a"].temperature = 2.5
    x = pictures(9)
    logits = models["a"].predict(x, calibrated=True, verbose=0)
    found = list(predict(folder, x, top=4, batch_size=4))
    for each, shares in zip(found, softmax(logits), strict=True):
        given = dict(zip(each.classes, each.probabilities, strict=True))
        np.testing.assert_allclose([given[name] for name in CLASSES], shares, 1e-4)


def test_a_temperature_that_is_given_takes_the_place_of_the_saved_one(run, models):
    models["a"].temperature = 2.5
    x = pictures(5)
    shares = softmax(subnetwork_logits(models["a"], x).mean(axis=1) / 0.5)
    found = list(predict(run[0], x, temperature=0.5, top=1))
    np.testing.assert_allclose(
        column(found, "probabilities")[:, 0], shares.max(axis=1), 1e-5
    )


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_files_of_every_mode_are_read_as_arrays_are(run, tmp_path, workers):
    expected = mode_files(tmp_path / "photos")
    found = list(predict(run[0], str(tmp_path / "photos"), workers=workers))
    assert [each.image for each in found] == [
        str(tmp_path / "photos" / name) for name in sorted(expected)
    ]
    arrays = np.stack([expected[name] for name in sorted(expected)])
    for one, other in zip(found, predict(run[0], arrays), strict=True):
        assert one.classes == other.classes, one.image
        np.testing.assert_allclose(one.probabilities, other.probabilities, 1e-6)
        assert one.unlikeness == pytest.approx(other.unlikeness, rel=1e-6)


def test_files_of_another_size_are_resized_as_in_training(run, models, tmp_path):
    for i, size in enumerate([(30, 17), (5, 90), (16, 12)]):
        for label in range(4):
            folder = tmp_path / "photos" / "train" / f"class{label}"
            folder.mkdir(parents=True, exist_ok=True)
            pixels = pictures(1, (*size, 3), seed=10 * i + label)[0]
            Image.fromarray(pixels).save(folder / f"{i}.png")
    trained = load(str(tmp_path / "photos"), "train", image_size=SHAPE[:2])
    logits = models["a"].predict(trained.images[:], verbose=0)
    found = list(predict(run[0], tmp_path / "photos", top=1))
    np.testing.assert_allclose(
        column(found, "probabilities")[:, 0], softmax(logits).max(axis=1), 1e-5
    )
    # As are arrays of another size.
    large = pictures(3, (24, 18, 3))
    files = []
    for i, pixels in enumerate(large):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(pixels).save(files[-1])
    found = column(predict(run[0], files), "unlikeness")
    np.testing.assert_allclose(found, column(predict(run[0], large), "unlikeness"))


def test_a_network_of_grey_images_takes_colours(monkeypatch, tmp_path):
    model = linear(shape=(8, 6, 1))
    colour = pictures(1)[0]
    Image.fromarray(colour).save(tmp_path / "colour.png")
    Image.fromarray(colour).convert("L").save(tmp_path / "grey.png")
    one, other = predict(model, tmp_path)
    assert one.probabilities == other.probabilities
    assert one.error is None


def test_a_single_network_has_no_doubts_of_subnetworks():
    (found,) = predict(linear(members=1), pictures(1))
    assert found.mutual_information is None
    assert found.disagreement is None
    assert found.unlike_training is None
    assert found.classes == tuple(np.array(["0", "1", "2", "3"])[_order(found)][:3])


def _order(found):
    return [int(name) for name in found.classes] + [
        k for k in range(4) if str(k) not in found.classes
    ]


def test_held_out_images_serve_a_model_of_no_run(run):
    folder, val, _ = run
    model, images = linear(5), load(str(folder / "data.npz"), "val")
    x = pictures(8)
    found = list(predict(model, x, held_out=images, sets=0.2))
    plain, known = (subnetwork_logits(model, i).mean(axis=1) for i in (x, val))
    unlike = energy(plain) > np.quantile(energy(known), 0.95)
    np.testing.assert_array_equal(column(found, "unlike_training"), unlike)
    assert set(found[0].classes) <= set(CLASSES)
    assert found[0].prediction_set is not None


def test_what_is_stored_needs_no_images_afterwards(run, models):
    folder, _, _ = run
    x = pictures(12)
    first = list(predict(folder, x, sets=0.1))
    stored = json.loads((folder / "prediction.json").read_text())
    (about,) = stored["networks"].values()
    assert about["classes"] == list(CLASSES)
    assert about["samples"] == len(about["misses"]) == 40
    (folder / "data.npz").unlink()
    # A temperature that is fitted later changes none of it.
    models["a"].temperature = 3.0
    again = list(predict(folder, x, sets=0.1))
    for one, other in zip(first, again, strict=True):
        assert set(one.prediction_set) == set(other.prediction_set)
        assert one.unlike_training == other.unlike_training
    # Another rate is fitted on what is stored.
    wider = list(predict(folder, x, sets=0.01))
    for one, other in zip(first, wider, strict=True):
        assert set(one.prediction_set) <= set(other.prediction_set)


def test_other_weights_are_looked_at_again(run, models):
    folder, _, _ = run
    x = pictures(3)
    before = list(predict(folder, x))
    models["a"] = linear(8)
    after = list(predict(folder, x))
    assert before[0].probabilities != after[0].probabilities
    stored = json.loads((folder / "prediction.json").read_text())
    assert len(stored["networks"]) == 2
