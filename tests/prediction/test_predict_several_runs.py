"""Several runs are one ensemble, calibrated together, against plain NumPy."""

import numpy as np
import pytest

from keras_mixvit import Ensemble
from keras_mixvit.metrics import ConformalSets, fit_temperature
from keras_mixvit.prediction import predict
from keras_mixvit.prediction._options import Options
from keras_mixvit.prediction._predict import predictions
from keras_mixvit.training import _held_out as held_out
from tests.prediction.files import (
    CLASSES,
    column,
    energy,
    entropy,
    pictures,
    softmax,
    subnetwork_logits,
    write_run,
)


def test_several_runs_are_their_mean(run, models, tmp_path):
    folder, val, labels = run
    write_run(tmp_path / "b", models["b"])
    models["a"].temperature, models["b"].temperature = 1.5, 0.5
    x = pictures(20)
    found = list(predict([folder, tmp_path / "b"], x, sets=0.3, top=1))

    def plain_of(images):
        return np.concatenate(
            [subnetwork_logits(models[name], images) for name in "ab"], axis=1
        )

    # The temperature of the mean takes the place of those of the runs.
    known = plain_of(val).mean(axis=1)
    temperature = fit_temperature(known, labels)
    assert abs(np.log(temperature)) > 0.1
    z = plain_of(x) / temperature
    assert z.shape == (20, 3, 4)
    shares = softmax(z.mean(axis=1))
    np.testing.assert_allclose(
        column(found, "probabilities")[:, 0], shares.max(axis=1), 1e-5
    )
    information = entropy(softmax(z).mean(axis=1)) - entropy(softmax(z)).mean(axis=1)
    np.testing.assert_allclose(
        column(found, "mutual_information"), information, atol=1e-5
    )
    plain = plain_of(x).mean(axis=1)
    unlike = energy(plain) > np.quantile(energy(known), 0.95)
    np.testing.assert_array_equal(column(found, "unlike_training"), unlike)
    sets = ConformalSets.fit(known, labels, "lac", 0.7).predict(plain)
    assert [set(each.prediction_set) for each in found] == [
        {CLASSES[k] for k in range(4) if row[k]} for row in sets
    ]
    # In another order they are the same, and no image is needed any more.
    (folder / "data.npz").unlink()
    (tmp_path / "b" / "data.npz").unlink()
    for one, other in zip(
        predict([tmp_path / "b", folder], x, sets=0.3, top=1), found, strict=True
    ):
        assert set(one.prediction_set) == set(other.prediction_set)
        assert one.unlike_training == other.unlike_training
        assert one.probabilities == pytest.approx(other.probabilities, rel=1e-5)


@pytest.mark.parametrize("has_images", [False, True])
def test_several_runs_keep_their_temperatures_if_none_fits(
    run, models, tmp_path, monkeypatch, has_images
):
    folder = run[0]
    write_run(tmp_path / "b", models["b"])
    models["a"].temperature, models["b"].temperature = 1.5, 0.5
    if has_images:
        # As if all predictions were right: their best temperature is 0.
        monkeypatch.setattr(held_out, "fit_temperature", lambda *arguments: 0.0)
    else:
        (folder / "data.npz").unlink()
        (tmp_path / "b" / "data.npz").unlink()
    x, sentences = pictures(5), []
    runs, options = [folder, tmp_path / "b"], Options(top=1)
    found = list(predictions(runs, x, options, tell=sentences.append))
    parts = [subnetwork_logits(models[name], x) for name in "ab"]
    z = np.concatenate([parts[0] / 1.5, parts[1] / 0.5], axis=1).mean(axis=1)
    np.testing.assert_allclose(
        column(found, "probabilities")[:, 0], softmax(z).max(axis=1), 1e-5
    )
    assert sentences[-1] == (
        "Each run keeps its own temperature, so the ensemble may be less sure than it "
        "should be: no validation images give it a temperature."
    )


@pytest.mark.parametrize("ensemble_of", ["logits", "probabilities"])
def test_several_runs_are_an_ensemble_of_their_models(
    ensemble_of, run, models, tmp_path
):
    for name in "ab":
        models[name].ensemble_of = ensemble_of
    write_run(tmp_path / "b", models["b"])
    x = pictures(6)
    folder, val, labels = run
    found = list(predict([folder, tmp_path / "b"], x, top=4))
    whole = Ensemble([models["a"], models["b"]], ensemble_of)
    whole.temperature = fit_temperature(whole.predict(val, verbose=0), labels)
    logits = whole.predict(x, calibrated=True, verbose=0)
    for each, shares in zip(found, softmax(logits), strict=True):
        given = dict(zip(each.classes, each.probabilities, strict=True))
        np.testing.assert_allclose([given[name] for name in CLASSES], shares, 1e-4)
    if ensemble_of == "probabilities":
        # They have no energy.
        expected = entropy(softmax(whole.predict(x, verbose=0)))
        np.testing.assert_allclose(column(found, "unlikeness"), expected, 1e-4)
