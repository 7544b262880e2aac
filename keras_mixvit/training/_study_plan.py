"""Plans a study: recipes, steps and costs of every row."""

from typing import Any

import keras

from keras_mixvit.costs import flops
from keras_mixvit.recipes._dataset import dataset_for
from keras_mixvit.recipes._model import model_for
from keras_mixvit.recipes._optimization import optimizer_for
from keras_mixvit.recipes._protocol import sets_of
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.recipes._recipe_file import recipe_text
from keras_mixvit.training._run_data import load_own
from keras_mixvit.training._run_facts import versions
from keras_mixvit.training._run_settings import RunSettings
from keras_mixvit.training._train import with_whole_paths


def plan(
    rows: dict[str, dict[str, Any]], seeds: list[int], data_dir: str | None
) -> dict[str, Any]:
    """Recipes, steps and costs of the rows of a study.

    Args:
        rows: Dict from names of rows to dicts of `values`, the fields of the recipe,
            and `settings`, the options that are set at the end.
        seeds: List of integers.
        data_dir: Folder of the images, or `None`.

    Returns:
        Dict of `rows`, each with the `recipes` of its seeds as TOML and the result of
        `_costs`, and of `backend`, `versions` and `accelerators`.

    Raises:
        ValueError: If a row is not a recipe, or does not fit its images.
    """
    images: dict[Any, dict] = {}
    found = {}
    for row, given in rows.items():
        try:
            found[row] = _planned(given, seeds, data_dir, images)
        except ValueError as error:
            raise ValueError(f"{error} (in the row {row!r})") from error
    return {
        "rows": found,
        "backend": keras.config.backend(),
        "versions": versions(),
        "accelerators": accelerators(),
    }


def _planned(given, seeds, data_dir, images):
    recipe = Recipe.from_dict(given["values"]).with_settings(given["settings"])
    recipe, data_dir = with_whole_paths(recipe, data_dir)
    if recipe.data not in images:
        own = load_own(RunSettings(recipe, data_dir, False), "when_read", {})
        images[recipe.data] = sets_of(recipe.data, own)
    return {
        "recipes": {
            str(seed): recipe_text(recipe.replace(seed=seed)) for seed in seeds
        },
        **_costs(recipe, images[recipe.data]["train"]),
    }


def _costs(recipe, images) -> dict[str, Any]:
    """Steps of one network, and operations of all networks of a row."""
    member = recipe.members()[0]
    model = model_for(member, images)
    dataset = dataset_for(member, model, images)
    # This raises errors for recipes that do not fit.
    optimizer_for(member, model, len(dataset))
    steps = len(dataset) * member.total_epochs
    samples = steps * member.batch_size
    forward = flops(model, training=True, unknown="skip").training_step_flops or 0
    inference = flops(model, unknown="skip").total.flops
    return {
        "parameters": recipe.num_members * model.count_params(),
        "members": recipe.num_members,
        "epochs": member.total_epochs,
        "steps": steps,
        "samples": samples,
        "training_flops": recipe.num_members * samples * forward,
        "inference_flops": recipe.num_members * inference,
    }


def accelerators() -> list[str]:
    """The names of the accelerators that the backend finds."""
    backend = keras.config.backend()
    if backend == "jax":
        import jax

        found = jax.local_devices()
        return [each.device_kind for each in found if each.platform != "cpu"]
    if backend == "tensorflow":
        import tensorflow as tf

        return [
            tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in tf.config.list_physical_devices("GPU")
        ]
    import torch

    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        return [torch.cuda.get_device_name(place) for place in range(count)]
    return ["mps"] if torch.backends.mps.is_available() else []
