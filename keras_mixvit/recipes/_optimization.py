"""Builds the optimizer, schedule and loss of a recipe."""

import keras

from keras_mixvit.optimizers import LayerwiseAdamW, LayerwiseSGD
from keras_mixvit.recipes._constructors import OPTIMIZERS
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.schedules import WarmupStepDecay

# DeiT's rule, extended to the tokens of this library: vectors do not decay.
NOT_DECAYED = (
    "bias",
    "class_token",
    "position_embedding",
    "register_tokens",
    "source_bias",
    "source_embedding",
)

LAYERWISE = {"adamw": LayerwiseAdamW, "sgd": LayerwiseSGD}


def schedule_for(recipe: Recipe, steps_per_epoch: int) -> WarmupStepDecay:
    """The learning-rate schedule of a recipe.

    Args:
        recipe: `Recipe`.
        steps_per_epoch: Integer, the length of the data set.

    Returns:
        A schedule; a scaled recipe scales all of it.
    """
    schedule, epochs = recipe.schedule, recipe.epochs
    return WarmupStepDecay(
        recipe.learning_rate,
        total_steps=recipe.total_epochs * steps_per_epoch,
        warmup=schedule.warmup(epochs) / epochs,
        decay_at=tuple(epoch / epochs for epoch in schedule.falls(epochs)),
        decay_rate=schedule.decay_rate,
    )


def optimizer_for(
    recipe: Recipe, model: keras.Model, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe, with its schedule.

    Args:
        recipe: `Recipe`.
        model: The model to train, whose vectors and tokens do not decay.
        steps_per_epoch: Integer, the length of the data set.

    Returns:
        Keras's AdamW or SGD, or `LayerwiseAdamW` or `LayerwiseSGD` if the layers learn
        at different rates.

    Example:

    ```python
    recipe = Recipe(backbone={"name": "convit", "width": 16, "num_blocks": 1})
    model = model_for(recipe, load("digits"))
    optimizer = optimizer_for(recipe, model, steps_per_epoch=15)
    assert isinstance(optimizer, keras.optimizers.AdamW)
    ```
    """
    constructor = OPTIMIZERS[recipe.optimizer_name]
    options = {**constructor.defaults, **recipe.optimizer.options}
    decay = options["weight_decay"]
    if recipe.optimizer_name == "sgd":
        # SGD does not take a decay of 0, and AdamW does not take None.
        options["weight_decay"] = decay or None
    schedule = schedule_for(recipe, steps_per_epoch)
    build, layerwise = constructor.build, layer_options(recipe, model, steps_per_epoch)
    if layerwise:
        build = LAYERWISE[recipe.optimizer_name]
    try:
        optimizer = build(schedule, **options, **layerwise)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`optimizer` must have options that Keras takes ({error}). Received: "
            f"optimizer={recipe.optimizer!r}"
        ) from error
    # Keras excludes variables only if there is a decay.
    if decay:
        optimizer.exclude_from_weight_decay(var_list=not_decayed(model))
    return optimizer


def layer_options(
    recipe: Recipe, model: keras.Model, steps_per_epoch: int
) -> dict[str, dict]:
    """The `rates` and `starts` of a `LayerwiseAdamW`, or an empty dict.

    Args:
        recipe: `Recipe`.
        model: The model to train.
        steps_per_epoch: Integer, the length of the data set.
    """
    schedule, found = recipe.schedule, {}
    if schedule.layer_decay != 1:
        found["rates"] = model.layer_rates(schedule.layer_decay)
    if schedule.new_layer_epochs:
        share = schedule.new_layer_epochs / recipe.epochs
        batches = round(share * recipe.total_epochs * steps_per_epoch)
        found["starts"] = model.layer_starts(max(1, batches))
    return found


def not_decayed(model: keras.Model) -> list:
    """Variables without weight decay: biases, norms, gains, tokens.

    Args:
        model: A built model.
    """
    return [
        variable
        for variable in model.trainable_variables
        if len(variable.shape) <= 1 or variable.name in NOT_DECAYED
    ]


def loss_for(recipe: Recipe) -> keras.losses.Loss:
    """The loss of a recipe, for soft labels, and for integers as one-hot labels.

    Args:
        recipe: `Recipe`.

    Returns:
        Cross-entropy of logits.

    Example:

    ```python
    assert loss_for(Recipe(loss={"label_smoothing": 0.1})).label_smoothing == 0.1
    ```
    """
    return keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=recipe.loss.label_smoothing
    )
