"""The parts of a recipe that are not passed to a constructor: data, loss, schedule."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from keras_mixvit._checks import require, require_positive_integer


@dataclass(frozen=True)
class Data:
    """The images of a recipe.

    Args:
        name: String, the name or path of a data set, as in `keras_mixvit.load`.
            Defaults to `"digits"`.
        image_size: Integer, the side in pixels to which images are resized, or
            `None` for their own size. Defaults to `None`.
        share: Float in (0, 1], the share of the training images of each class
            to train on. Defaults to `1.0`.
        protocol: `"validation"` to choose the best epoch and the temperature on
            validation images, or `"paper"` to train on all training images, evaluate
            every epoch on the test images and report the last one, without a choice.
            Defaults to `"validation"`.
        val_share: Float in (0, 1), the share of the training images of each class to
            hold out if the data set has no validation split, or `None` for 0.1.
            Defaults to `None`.

    Raises:
        ValueError: If a value is out of its range.

    Example:

    ```python
    assert Recipe(data={"name": "cifar10", "share": 0.1}).data.share == 0.1
    ```
    """

    name: str = "digits"
    image_size: int | None = None
    share: float = 1.0
    protocol: Literal["validation", "paper"] = "validation"
    val_share: float | None = None

    def __post_init__(self):
        require(
            self.name != "",
            "`data.name` must not be empty.",
            **{"data.name": self.name},
        )
        require(
            0 < self.share <= 1,
            "`data.share` must be in (0, 1].",
            **{"data.share": self.share},
        )
        require(
            self.image_size is None or self.image_size > 0,
            "`data.image_size` must be positive.",
            **{"data.image_size": self.image_size},
        )
        if self.val_share is not None:
            require(
                0 < self.val_share < 1,
                "`data.val_share` must be in (0, 1).",
                **{"data.val_share": self.val_share},
            )
            require(
                self.protocol == "validation",
                "`data.val_share` must not be set with the protocol 'paper'; set "
                "data.protocol to 'validation' too.",
                **{"data.val_share": self.val_share},
            )


@dataclass(frozen=True)
class Loss:
    """The loss of a recipe.

    Args:
        label_smoothing: Float in [0, 1), the share of each label that is spread over
            all classes. Defaults to `0.0`.
        class_weight: `"balanced"`, which makes every class count the same; a tuple with
            the weight of each class; or `None` for equal weights. Defaults to `None`.

    Raises:
        ValueError: If a value is out of its range.

    Example:

    ```python
    assert Recipe(loss={"label_smoothing": 0.1}).loss.label_smoothing == 0.1
    ```
    """

    label_smoothing: float = 0.0
    class_weight: Literal["balanced"] | tuple[float, ...] | None = None

    def __post_init__(self):
        require(
            0 <= self.label_smoothing < 1,
            "`loss.label_smoothing` must be in [0, 1).",
            **{"loss.label_smoothing": self.label_smoothing},
        )
        weights = self.class_weight
        require(
            not isinstance(weights, tuple)
            or (len(weights) > 0 and all(math.isfinite(w) and w >= 0 for w in weights)),
            '`loss.class_weight` must be None, "balanced", or finite numbers that are '
            "not negative, one for each class.",
            **{"loss.class_weight": weights},
        )

    def class_weights(self, num_classes: int) -> str | dict[int, float] | None:
        """The `class_weight` for `fit`.

        Args:
            num_classes: Integer, the number K of classes.

        Raises:
            ValueError: If the number of weights is not K.
        """
        if not isinstance(self.class_weight, tuple):
            return self.class_weight
        require(
            len(self.class_weight) == num_classes,
            f"`loss.class_weight` must be {num_classes} numbers, one for each class, "
            'or "balanced".',
            **{"loss.class_weight": self.class_weight},
        )
        return dict(enumerate(self.class_weight))


@dataclass(frozen=True)
class Schedule:
    """The learning rate of a recipe: a linear warm-up, then drops.

    The last three options fine-tune a preset: they say which layers learn, how fast,
    and from when.

    Args:
        learning_rate: Positive float, the rate after the warm-up, or `None` for 0.002
            with AdamW, and for `0.1 / b * batch_size / 128` with SGD and b repetitions.
            Defaults to `None`.
        batch_rule: `"none"`, `"sqrt"` or `"linear"`: the rate is multiplied by 1, by
            `sqrt(batch_size / base_batch_size)`, or by `batch_size / base_batch_size /
            repetitions`. Defaults to `"none"`.
        base_batch_size: Positive integer, for the rule. Defaults to `128`.
        warmup_epochs: Float, the epochs over which the rate rises, or `None` for a
            tenth of all epochs. Defaults to `None`.
        decay_epochs: Tuple of floats, the epochs after which the rate drops, or `None`
            for 5/6 and 14/15 of all epochs. Defaults to `None`.
        decay_rate: Positive float, the factor of each drop. Defaults to `0.1`.
        layer_decay: Float in (0, 1], the rate of a block divided by that of the next
            one towards the classes, as in `layer_rates`. Defaults to `1.0`.
        frozen_blocks: Integer, the number of blocks that do not learn, with the stem;
            0 for none, not even the stem. Defaults to `0`.
        new_layer_epochs: Float, the epochs at the start in which only source
            attribution and heads learn. Defaults to `0.0`.

    Raises:
        ValueError: If a value is out of its range, or has no effect: a base without a
            rule, or a decay rate without drops.

    Example:

    ```python
    mine = Recipe(epochs=30, schedule={"decay_epochs": (20, 25)})
    assert mine.schedule.decay_epochs == (20, 25)
    ```

    References:
        MixViT, Appendix H; MixMo, Section 6.4.
    """

    learning_rate: float | None = None
    batch_rule: Literal["none", "sqrt", "linear"] = "none"
    base_batch_size: int = 128
    warmup_epochs: float | None = None
    decay_epochs: tuple[float, ...] | None = None
    decay_rate: float = 0.1
    layer_decay: float = 1.0
    frozen_blocks: int = 0
    new_layer_epochs: float = 0.0

    def __post_init__(self):
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        uses = {
            "base_batch_size": (self.batch_rule != "none", "`schedule.batch_rule`"),
            "decay_rate": (self.decay_epochs != (), "`schedule.decay_epochs`"),
        }
        for name, (is_used, user) in uses.items():
            require(
                is_used or getattr(self, name) == defaults[name],
                f"`schedule.{name}` must not be set without {user}.",
                **{f"schedule.{name}": getattr(self, name)},
            )
        for name in ("learning_rate", "base_batch_size", "decay_rate"):
            value = getattr(self, name)
            require(
                value is None or 0 < value < math.inf,
                f"`schedule.{name}` must be a positive finite number.",
                **{f"schedule.{name}": value},
            )
        require(
            0 < self.layer_decay <= 1,
            "`schedule.layer_decay` must be in (0, 1].",
            **{"schedule.layer_decay": self.layer_decay},
        )
        require_positive_integer("schedule.frozen_blocks", self.frozen_blocks, 0)

    def rate(self, batch_size: int, repetitions: int, is_sgd: bool) -> float:
        """The rate after the warm-up, by its rule.

        Args:
            batch_size: Integer B, with repetitions.
            repetitions: Integer b, how often an image appears in a batch.
            is_sgd: Whether the optimizer is SGD.
        """
        if self.learning_rate is None and is_sgd:
            return 0.1 / repetitions * batch_size / 128
        share = batch_size / self.base_batch_size
        factors = {
            "none": 1.0,
            "sqrt": math.sqrt(share),
            "linear": share / repetitions,
        }
        rate = 2e-3 if self.learning_rate is None else self.learning_rate
        return rate * factors[self.batch_rule]

    def warmup(self, epochs: int) -> float:
        """The number of epochs of the warm-up, of `epochs`."""
        return epochs / 10 if self.warmup_epochs is None else self.warmup_epochs

    def falls(self, epochs: int) -> tuple[float, ...]:
        """The epochs after which the rate drops, of `epochs`."""
        if self.decay_epochs is not None:
            return self.decay_epochs
        return (epochs * 5 / 6, epochs * 14 / 15)


SETTINGS = {"data": Data, "loss": Loss, "schedule": Schedule}


def set_options(value) -> dict[str, Any]:
    """The fields of `Data`, `Loss` or `Schedule` that differ from the defaults."""
    return {
        field.name: getattr(value, field.name)
        for field in dataclasses.fields(value)
        if getattr(value, field.name) != field.default or field.name == "name"
    }
