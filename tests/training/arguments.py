"""Arguments of each public class of `keras_mixvit.training`, none its default."""

from pathlib import Path

ARGUMENTS = {
    "RunEvaluation": lambda: {
        "report": None,
        "corrupted": 1,
        "data": "digits",
        "split": "test",
        "temperature": 1.5,
        "fitted_on": "val",
        "calibrated_nll": 0.5,
        "path": Path("evaluation.json"),
    },
}
