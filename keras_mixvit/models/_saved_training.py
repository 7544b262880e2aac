"""What a file stores of a compiled model in addition to what Keras writes."""

import warnings
from typing import Any

import keras

from keras_mixvit.models._keras_workarounds import decaying, not_decayed

# These can change after `compile`.
SETTINGS = ("run_eagerly", "jit_compile", "steps_per_execution")


def settings_of(model: keras.Model) -> dict:
    """The settings with which a compiled model runs its steps."""
    return {name: getattr(model, name) for name in SETTINGS}


def current_arguments(model: keras.Model, arguments: dict, settings: dict) -> dict:
    """The arguments of `compile`, with later changes.

    Args:
        model: Compiled model.
        arguments: Dict of the arguments that `compile` received.
        settings: Dict that `settings_of` returned right after `compile`.
    """
    changed = {
        name: value
        for name, value in settings_of(model).items()
        if value != settings[name]
    }
    # The optimizer may have changed since, or may have been passed as a string.
    return {**arguments, "optimizer": model.optimizer, **changed}


def additions(model: keras.Model, metrics: Any) -> dict:
    """What Keras's config of a compiled model lacks, or an empty dict.

    Args:
        model: Compiled model.
        metrics: The metrics that `compile` received.
    """
    found = {
        "not_decayed": [variable.path for variable in not_decayed(model)],
        "on_subnetworks": [
            index
            for index, metric in enumerate(keras.tree.flatten(metrics))
            if getattr(metric, "on_subnetworks", False)
            and not getattr(type(metric), "on_subnetworks", False)
        ],
    }
    return {name: value for name, value in found.items() if value}


def exclude(model: keras.Model, paths: list[str]) -> None:
    """Excludes variables from weight decay.

    Args:
        model: Compiled model.
        paths: List of paths of trainable variables.

    Raises:
        ValueError: If the model lacks one of them.
    """
    variables = {variable.path: variable for variable in model.trainable_variables}
    missing = sorted(set(paths) - set(variables))
    if missing:
        raise ValueError(
            "`not_decayed` must list variables of the model. "
            f"Received: missing={missing}"
        )
    decaying(model.optimizer).exclude_from_weight_decay(
        var_list=[variables[path] for path in paths]
    )


def warn_of_lost(config: dict) -> None:
    """Warns of objects in a file that Keras cannot load again.

    Args:
        config: Dict of the serialised arguments of `compile`.
    """
    rate = config.get("optimizer") or {}
    rate = rate.get("config", {}).get("learning_rate")
    parts = {name: config.get(name) for name in ("loss", "metrics", "weighted_metrics")}
    for name, part in {"learning_rate": rate, **parts}.items():
        try:
            keras.saving.deserialize_keras_object(part)
        except Exception as error:
            warnings.warn(
                f"`{name}` must be registered, or Keras cannot load the file: "
                "decorate the class or function with "
                "keras.saving.register_keras_serializable(). A lambda cannot be "
                f"registered. Received: {_first_line(error)}",
                stacklevel=2,
            )


def _first_line(error):
    return str(error).strip().splitlines()[0][:200]
