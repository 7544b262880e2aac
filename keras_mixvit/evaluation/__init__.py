"""Evaluation: reports on the predictions of a model."""

from keras_mixvit.evaluation._corruption_report import CorruptionReport
from keras_mixvit.evaluation._corruptions import corrupt
from keras_mixvit.evaluation._evaluate import evaluate
from keras_mixvit.evaluation._evaluate_corrupted import evaluate_corrupted
from keras_mixvit.evaluation._evaluation_report import EvaluationReport

__all__ = [
    "CorruptionReport",
    "EvaluationReport",
    "corrupt",
    "evaluate",
    "evaluate_corrupted",
]
