"""What is run from the command line: trainings, evaluations and exports."""

from keras_mixvit.recipes.evaluate_run import RunEvaluation, evaluate_run
from keras_mixvit.recipes.export import export
from keras_mixvit.recipes.train import train
from keras_mixvit.recipes.training_options import TrainingOptions
from keras_mixvit.recipes.warmup_step_decay import WarmupStepDecay

__all__ = [
    "RunEvaluation",
    "TrainingOptions",
    "WarmupStepDecay",
    "evaluate_run",
    "export",
    "train",
]
