from dataclasses import dataclass
from typing import Any

# Of the numbers that are written.
DIGITS = 6


@dataclass(frozen=True)
class Prediction:
    """What a run or a model says about one image.

    Args:
        image: String, the path of a file, or `"my.npz[3]"` for image 3 of an array.
        classes: Tuple of the names of the likeliest classes, the likeliest first.
            Defaults to `()`.
        probabilities: Tuple of floats, their calibrated probabilities. Defaults to
            `()`.
        entropy: Float, the entropy of the calibrated probabilities of all classes,
            in nats. Defaults to `None`.
        mutual_information: Float, the entropy of the mean of the subnetworks'
            probabilities less the mean of their entropies, in nats; `None` of a
            single network. Defaults to `None`.
        disagreement: Float, the share of pairs of subnetworks that predict
            different classes; `None` of a single network. Defaults to `None`.
        unlikeness: Float, a score that is high if the image is unlike the training
            images. Defaults to `None`.
        unlike_training: Boolean, whether that score is above that of 95 % of the
            validation images; `None` if there are none. Defaults to `None`.
        prediction_set: Tuple of the names of the classes that are possible, the
            likeliest first, or `None` if no sets were asked for. Defaults to `None`.
        error: String, why the image has no prediction, or `None`. Defaults to
            `None`.

    Example:

    ```python
    found = Prediction("a.png", ("cat", "dog"), (0.75, 0.125), 0.7)
    assert found.to_dict()["top"][0] == {"class": "cat", "probability": 0.75}
    ```
    """

    image: str
    classes: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    entropy: float | None = None
    mutual_information: float | None = None
    disagreement: float | None = None
    unlikeness: float | None = None
    unlike_training: bool | None = None
    prediction_set: tuple[str, ...] | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; numbers are rounded to six decimals."""
        pairs = zip(self.classes, self.probabilities, strict=True)
        return {
            "image": self.image,
            "top": [
                {"class": name, "probability": round(share, DIGITS)}
                for name, share in pairs
            ],
            "entropy": _rounded(self.entropy),
            "mutual_information": _rounded(self.mutual_information),
            "disagreement": _rounded(self.disagreement),
            "unlikeness": _rounded(self.unlikeness),
            "unlike_training": self.unlike_training,
            "prediction_set": None
            if self.prediction_set is None
            else list(self.prediction_set),
            "error": self.error,
        }


def _rounded(value):
    return None if value is None else round(value, DIGITS)
