"""Schedules of the learning rate, which saved models hold."""

from keras_mixvit.schedules._warmup_step_decay import WarmupStepDecay

__all__ = ["WarmupStepDecay"]
