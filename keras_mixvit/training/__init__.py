"""Runs: train a recipe, then resume, evaluate, compare and export the run."""

from keras_mixvit._start import is_command

# The command imports only what it runs, and nothing to print its help.
if not is_command():
    from keras_mixvit.training._compare import compare
    from keras_mixvit.training._evaluate_run import RunEvaluation, evaluate_run
    from keras_mixvit.training._export import export
    from keras_mixvit.training._resume import resume
    from keras_mixvit.training._study import study
    from keras_mixvit.training._train import train

__all__ = [
    "RunEvaluation",
    "compare",
    "evaluate_run",
    "export",
    "resume",
    "study",
    "train",
]
