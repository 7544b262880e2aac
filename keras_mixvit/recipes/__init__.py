"""Recipes: descriptions of trainings, with one for every row of the papers' tables."""

from keras_mixvit._start import is_command

# The command imports only what it runs, and nothing to print its help.
if not is_command():
    from keras_mixvit.recipes._adapt import adapt
    from keras_mixvit.recipes._augmentations import augmentation_names
    from keras_mixvit.recipes._chosen_recipe import chosen_recipe
    from keras_mixvit.recipes._dataset import augmentation_for, dataset_for
    from keras_mixvit.recipes._model import backbone_for, model_for
    from keras_mixvit.recipes._names import recipe_aliases
    from keras_mixvit.recipes._optimization import loss_for, optimizer_for
    from keras_mixvit.recipes._part import Part
    from keras_mixvit.recipes._published import Published
    from keras_mixvit.recipes._published_rows import published_rows
    from keras_mixvit.recipes._recipe import Recipe
    from keras_mixvit.recipes._recipe_file import read_recipe, recipe_text
    from keras_mixvit.recipes._registry import recipe, recipes
    from keras_mixvit.recipes._settings import Data, Loss, Schedule

__all__ = [
    "Data",
    "Loss",
    "Part",
    "Published",
    "Recipe",
    "Schedule",
    "adapt",
    "augmentation_for",
    "augmentation_names",
    "backbone_for",
    "chosen_recipe",
    "dataset_for",
    "loss_for",
    "model_for",
    "optimizer_for",
    "published_rows",
    "read_recipe",
    "recipe",
    "recipe_aliases",
    "recipe_text",
    "recipes",
]
