"""What is run from the command line: trainings and exports."""

from keras_mixvit.recipes.export import export
from keras_mixvit.recipes.train import train
from keras_mixvit.recipes.training_options import TrainingOptions
from keras_mixvit.recipes.warmup_step_decay import WarmupStepDecay

__all__ = ["TrainingOptions", "WarmupStepDecay", "export", "train"]
