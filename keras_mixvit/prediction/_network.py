"""One network of one run, or of several."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.metrics._ood_scores import scores_of_logits
from keras_mixvit.models import Ensemble, MIMOModel


class Network:
    """Models that predict together, as `Ensemble` does, and their calibration.

    Each model has its own temperature until `calibrate_together` sets one for all.

    Args:
        models: Sequence of models with the same images and classes.
        temperature: Positive float, by which all logits are divided, or `None` for
            the own temperature of each model. Defaults to `None`.

    Raises:
        ValueError: If they differ in images, in classes or in what they average.
    """

    def __init__(self, models: Sequence[MIMOModel], temperature: float | None = None):
        kinds = [model.ensemble_of for model in models]
        require(
            len(set(kinds)) == 1,
            "`runs` must all average logits, or all average probabilities.",
            ensemble_of=kinds,
        )
        whole = models[0] if len(models) == 1 else Ensemble(list(models), kinds[0])
        self.models, self.whole, self.ensemble_of = list(models), whole, kinds[0]
        self.temperatures = [
            model.temperature if temperature is None else float(temperature)
            for model in models
        ]
        # The temperature of the mean, which then replaces those of the models.
        self.temperature: float | None = None
        self.counts = [model.inference_network.output.shape[1] for model in models]

    def calibrate_together(self, temperature: float) -> None:
        """Divides the mean of all models by one temperature, and each model by 1.

        A mean of calibrated networks is less sure than it should be, since they err on
        different images.

        Args:
            temperature: Positive float.
        """
        self.temperature = temperature

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Plain logits `(B, M, K)` of all subnetworks.

        Args:
            images: Array `(B, H, W, C)`.
        """
        found = self.whole.inference_network.predict_on_batch(images)
        return np.asarray(found, "float64")

    def plain(self, logits: np.ndarray) -> np.ndarray:
        """Logits `(B, K)` of the ensemble, as if all temperatures were 1."""
        return self._averaged(logits, [1.0] * len(self.models))

    def calibrated(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated logits `(B, K)` of the ensemble."""
        if self.temperature is not None:
            return self.plain(logits) / self.temperature
        return self._averaged(logits, self.temperatures)

    def divided(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated logits `(B, M, K)` of the subnetworks."""
        if self.temperature is not None:
            return logits / self.temperature
        return logits / np.repeat(self.temperatures, self.counts)[:, None]

    def scores(
        self, logits: np.ndarray, calibrated: np.ndarray
    ) -> dict[str, np.ndarray]:
        """`ood_scores` of the calibrated predictions.

        Args:
            logits: Array `(B, M, K)`, of `logits`.
            calibrated: Array `(B, K)`, of `calibrated`.
        """
        each = self.divided(logits)
        if each.shape[1] == 1:
            return scores_of_logits(calibrated, None)
        return scores_of_logits(each, calibrated)

    def _averaged(self, logits: np.ndarray, temperatures: list[float]) -> Any:
        """The mean over models, each weighted by its number of subnetworks."""
        parts, first = [], 0
        for count, temperature in zip(self.counts, temperatures, strict=True):
            own = logits[:, first : first + count]
            parts.append(_mean(own, self.ensemble_of) / temperature)
            first += count
        weights = np.array(self.counts) / sum(self.counts)
        return _mean(np.stack(parts, axis=1), self.ensemble_of, weights)


def _mean(logits, ensemble_of, weights=None):
    """What `ensemble_logits` gives, in float64 and with weights `(M,)`."""
    if logits.shape[1] == 1:
        return logits[:, 0]
    if ensemble_of == "logits":
        return np.average(logits, axis=1, weights=weights)
    top = logits.max(axis=-1, keepdims=True)
    shares = np.exp(logits - top)
    shares /= shares.sum(axis=-1, keepdims=True)
    mean = np.average(shares, axis=1, weights=weights)
    # The logarithm of 0 would be no logit.
    return np.log(np.maximum(mean, np.finfo("float64").tiny))
