"""Learning-rate schedules, which are saved with a model."""

from keras_mixvit.schedules._warmup_step_decay import WarmupStepDecay

__all__ = ["WarmupStepDecay"]
