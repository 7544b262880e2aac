"""How a recipe trains: optimizer, schedule, loss."""

import keras

from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.schedules import WarmupStepDecay

# DeiT's rule, with the tokens of this library: vectors do not decay.
NOT_DECAYED = (
    "bias",
    "class_token",
    "position_embedding",
    "source_bias",
    "source_embedding",
)


def schedule_for(recipe: Recipe, steps_per_epoch: int) -> WarmupStepDecay:
    """The learning rate at each step.

    Args:
        recipe: `Recipe`.
        steps_per_epoch: Integer, the length of the data set.

    Returns:
        A schedule; where the recipe is scaled, so is all of it.
    """
    return WarmupStepDecay(
        recipe.resolved_learning_rate,
        total_steps=recipe.total_epochs * steps_per_epoch,
        warmup=recipe.resolved_warmup_epochs / recipe.epochs,
        decay_at=tuple(epoch / recipe.epochs for epoch in recipe.resolved_decay_epochs),
        decay_rate=recipe.decay_rate,
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
        AdamW or SGD of Keras.

    Example:

    ```python
    recipe = Recipe(width=16, num_blocks=1)
    model = model_for(recipe, load("digits"))
    optimizer = optimizer_for(recipe, model, steps_per_epoch=15)
    assert isinstance(optimizer, keras.optimizers.AdamW)
    ```
    """
    schedule = schedule_for(recipe, steps_per_epoch)
    decay = recipe.resolved_weight_decay
    if recipe.resolved_optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            schedule,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=decay or None,
        )
    else:
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=decay, epsilon=1e-8)
    if decay:
        optimizer.exclude_from_weight_decay(var_list=not_decayed(model))
    return optimizer


def not_decayed(model: keras.Model) -> list:
    """Variables that weight decay leaves alone: biases, norms, gains, tokens.

    Args:
        model: A built model.
    """
    return [
        variable
        for variable in model.trainable_variables
        if len(variable.shape) <= 1 or variable.name in NOT_DECAYED
    ]


def loss_for(recipe: Recipe) -> keras.losses.Loss:
    """The loss of a recipe, for soft labels and, made one-hot, for integers.

    Args:
        recipe: `Recipe`.

    Returns:
        Cross-entropy of logits.

    Example:

    ```python
    assert loss_for(Recipe(label_smoothing=0.1)).label_smoothing == 0.1
    ```
    """
    return keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=recipe.label_smoothing
    )
