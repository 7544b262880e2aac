"""Trainings by name: every row of the papers' tables, and what runs them."""

from keras_mixvit._start import is_command

# The command imports what it runs, and nothing to print its help.
if not is_command():
    from keras_mixvit.recipes.adapt import adapt
    from keras_mixvit.recipes.augmentations import augmentation_for, augmentation_names
    from keras_mixvit.recipes.chosen_recipe import chosen_recipe
    from keras_mixvit.recipes.compare import compare
    from keras_mixvit.recipes.data_sets import dataset_for
    from keras_mixvit.recipes.evaluate_run import RunEvaluation, evaluate_run
    from keras_mixvit.recipes.export import export
    from keras_mixvit.recipes.methods import backbone_for, model_for
    from keras_mixvit.recipes.optimization import loss_for, optimizer_for
    from keras_mixvit.recipes.published import Published
    from keras_mixvit.recipes.recipe import Recipe
    from keras_mixvit.recipes.registry import (
        published_rows,
        recipe,
        recipe_aliases,
        recipes,
    )
    from keras_mixvit.recipes.resume import resume
    from keras_mixvit.recipes.train import train

__all__ = [
    "Published",
    "Recipe",
    "RunEvaluation",
    "adapt",
    "augmentation_for",
    "augmentation_names",
    "backbone_for",
    "chosen_recipe",
    "compare",
    "dataset_for",
    "evaluate_run",
    "export",
    "loss_for",
    "model_for",
    "optimizer_for",
    "published_rows",
    "recipe",
    "recipe_aliases",
    "recipes",
    "resume",
    "train",
]
