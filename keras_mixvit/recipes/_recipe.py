import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from keras_mixvit._checks import is_number, require
from keras_mixvit.recipes._constructors import RESIDUAL, SINGLE
from keras_mixvit.recipes._fields import FIELDS, PARTS
from keras_mixvit.recipes._other_recipes import baseline_of, members_of
from keras_mixvit.recipes._part import Part
from keras_mixvit.recipes._recipe_checks import require_fitting
from keras_mixvit.recipes._recipe_parts import checked_parts, with_settings
from keras_mixvit.recipes._settings import Data, Loss, Schedule, set_options
from keras_mixvit.recipes._values import checked, parameters

# Fields that do not describe the training, and the seed.
NEUTRAL = {"name", "note", "seed"}
# Fields that a file of a recipe has, even with their defaults.
ALWAYS = ("name", "data", "backbone", "method", "batch_size", "epochs")


@dataclass(frozen=True, init=False)
class Recipe:
    """A training: data, backbone, method, augmentation, optimizer, schedule.

    Each part names what it builds and holds the options that it passes to the
    constructor, such as `backbone={"name": "convit", "width": 96}`. The defaults
    describe a small ConViT that trains on the digits within minutes.

    Args:
        name: String, the name of the recipe. Defaults to `"mine"`.
        data: `Data`, a dict of its arguments, or the name or path of a set.
            Defaults to `"digits"`.
        backbone: `Part`: `"convit"`, `"cait"`, `"vit"`, `"wide_resnet"`,
            `"preact_resnet"`, `"resnet"`, which start small, or a name that
            `make_backbone` knows. Defaults to `"convit"`.
        method: `Part`: `"mixvit"`, options of `MixViT`; `"mimo"`,
            `"linear_mixmo"` or `"cut_mixmo"`, options of `MixMo`; `"single"`, a
            single network; or `"manifold_mixup"`, options of `ManifoldMixUp`.
            Defaults to `"mixvit"`.
        mixing: `Part` without a name, how the inputs of a sample are mixed:
            `alpha` and `owner_per` with MixViT; `alpha` with Linear-MixMo and
            Manifold MixUp; `alpha`, `masks`, `probability`, `always_binary` and
            `several` with Cut-MixMo. `None` sets none. Defaults to `None`.
        pairs: `Part` without a name, options of `MixedPairDataset`, such as
            `repetitions`, or `None` for none. Defaults to `None`.
        augmentation: `Part`, one of `augmentation_names`. Defaults to `"none"`.
        pixel_mixing: `Part`: `"none"` or a kind of `PixelMixing`, with its
            options. Defaults to `"none"`.
        loss: `Loss`, a dict of its arguments, or `None` for its defaults.
            Defaults to `None`.
        optimizer: `Part`: `"adamw"` or `"sgd"` with options of Keras's class,
            or options without a name for AdamW with transformers and SGD with
            residual networks; `None` sets none. Defaults to `None`.
        schedule: `Schedule`, a dict of its arguments, or `None` for its
            defaults. Defaults to `None`.
        batch_size: Integer B, repetitions included. Defaults to `64`.
        epochs: Integer. Defaults to `60`.
        epoch_scale: Positive float, by which epochs and the whole schedule are
            multiplied, for trials. Defaults to `1.0`.
        width_scale: Positive float, by which width per head or widening are
            multiplied, for trials. Defaults to `1.0`.
        num_members: Integer N, how many networks are trained independently and
            make an ensemble. Defaults to `1`.
        ensemble_of: `"logits"` or `"probabilities"`, what subnetworks and
            members average. Defaults to `"logits"`.
        precision: `"float32"` or `"bfloat16"`, in which a step computes;
            weights are float32 in both. Defaults to `"float32"`.
        seed: Non-negative integer. Defaults to `0`.
        note: String, the choices where a paper is silent or contradicts itself.
            Defaults to `""`.

    Raises:
        ValueError: If an option is unknown, of a wrong type, out of its range,
            or does not go with the other parts.

    Example:

    ```python
    mine = Recipe(method="mimo", epochs=10).with_settings(["method.num_subnetworks=3"])
    assert mine.method.options == {"num_subnetworks": 3}
    assert mine.scaled(0.5).total_epochs == 5
    ```

    References:
        MixViT, Section 4 and Appendix H; MixMo, Section 6.4.
    """

    name: str
    data: Data
    backbone: Part
    method: Part
    mixing: Part
    pairs: Part
    augmentation: Part
    pixel_mixing: Part
    loss: Loss
    optimizer: Part
    schedule: Schedule
    batch_size: int
    epochs: int
    epoch_scale: float
    width_scale: float
    num_members: int
    ensemble_of: str
    precision: str
    seed: int
    note: str

    def __init__(
        self,
        name: str = "mine",
        data: Data | Mapping[str, Any] | str = "digits",
        backbone: Part | Mapping[str, Any] | str = "convit",
        method: Part | Mapping[str, Any] | str = "mixvit",
        mixing: Part | Mapping[str, Any] | None = None,
        pairs: Part | Mapping[str, Any] | None = None,
        augmentation: Part | Mapping[str, Any] | str = "none",
        pixel_mixing: Part | Mapping[str, Any] | str = "none",
        loss: Loss | Mapping[str, Any] | None = None,
        optimizer: Part | Mapping[str, Any] | str | None = None,
        schedule: Schedule | Mapping[str, Any] | None = None,
        batch_size: int = 64,
        epochs: int = 60,
        epoch_scale: float = 1.0,
        width_scale: float = 1.0,
        num_members: int = 1,
        ensemble_of: Literal["logits", "probabilities"] = "logits",
        precision: Literal["float32", "bfloat16"] = "float32",
        seed: int = 0,
        note: str = "",
    ):
        given = locals()
        known = parameters(Recipe)
        numbers = {name: known[name] for name in NUMBERS}
        found = {name: default for name, (_, default) in numbers.items()}
        found |= checked("", {name: given[name] for name in NUMBERS}, numbers)
        found |= checked_parts({name: given[name] for name in PARTS})
        for field, value in found.items():
            object.__setattr__(self, field, value)
        require_fitting(self)

    @property
    def is_residual(self) -> bool:
        """Whether the backbone is a residual network."""
        return self.backbone.name in RESIDUAL

    @property
    def has_subnetworks(self) -> bool:
        """Whether the method has several subnetworks."""
        return self.method.name not in SINGLE

    @property
    def is_augmented(self) -> bool:
        """Whether images are augmented, mixing aside."""
        return self.augmentation != Part("none")

    @property
    def is_scaled(self) -> bool:
        """Whether epochs, width or data are scaled for a trial."""
        return (self.epoch_scale, self.width_scale, self.data.share) != (1, 1, 1)

    @property
    def total_epochs(self) -> int:
        """The number of epochs to train, `epoch_scale` included."""
        return max(1, round(self.epochs * self.epoch_scale))

    @property
    def repetitions(self) -> int:
        """How often an image stands in a batch, b."""
        return self.pairs.options.get("repetitions", 1)

    @property
    def optimizer_name(self) -> str:
        """The name of the optimizer."""
        return self.optimizer.name or ("sgd" if self.is_residual else "adamw")

    @property
    def learning_rate(self) -> float:
        """The rate after the warm-up, by its rule."""
        return self.schedule.rate(
            self.batch_size, self.repetitions, self.optimizer_name == "sgd"
        )

    def replace(self, **changes: Any) -> "Recipe":
        """The same recipe with other fields.

        Args:
            **changes: Values by the names of fields. A part is replaced as a
                whole; `with_settings` changes one of its options.

        Returns:
            A `Recipe`.
        """
        checked("", dict.fromkeys(changes), dict.fromkeys(FIELDS, (Any, None)))
        return dataclasses.replace(self, **changes)

    def with_settings(self, settings: list[str] | dict[str, Any]) -> "Recipe":
        """The same recipe with other options.

        Args:
            settings: Dict from names such as `"backbone.width"` to values, or
                list of strings such as `"backbone.width=96"`, where `none`,
                `true` and `false` stand for `None`, `True` and `False`, and
                commas separate numbers. `"method=mimo"` changes a name and
                keeps the options that fit.

        Returns:
            A `Recipe`.

        Raises:
            ValueError: If there is no such option, or it does not take the value.
        """
        return dataclasses.replace(self, **with_settings(self, settings))

    def scaled(self, factor: float) -> "Recipe":
        """The same recipe with fewer or more epochs, the schedule with them.

        Args:
            factor: Positive float, by which epochs are multiplied.

        Returns:
            A `Recipe` whose `epoch_scale` is multiplied by the factor.
        """
        require(
            is_number(factor) and 0 < factor <= sys.float_info.max,
            "`factor` must be a positive finite number.",
            factor=factor,
        )
        return self.replace(epoch_scale=self.epoch_scale * factor)

    def baseline(self, cutmix: bool = False) -> "Recipe":
        """The single network for comparison, on the same data and backbone.

        For MixViT it keeps pixel mixing and repetitions, as in the paper. The
        paper of MixMo compares with a network without either.

        Args:
            cutmix: Boolean, whether to train it with CutMix, for as many steps as
                this recipe. Defaults to `False`.

        Returns:
            A `Recipe` of the method `"single"`.
        """
        return baseline_of(self, cutmix)

    def members(self) -> "list[Recipe]":
        """A recipe for each network of an ensemble, with a seed of its own.

        Returns:
            List of `num_members` recipes of one network.
        """
        return members_of(self)

    def to_dict(self) -> dict[str, Any]:
        """What differs from the defaults, and the most important fields anyway.

        Returns:
            Dict of strings, numbers, booleans, tuples, and, for the parts, dicts
            of these.
        """
        found = {}
        for name in FIELDS:
            value = getattr(self, name)
            if value == getattr(DEFAULTS, name) and name not in ALWAYS:
                continue
            if isinstance(value, Part):
                value = value.to_dict()
            elif dataclasses.is_dataclass(value):
                value = set_options(value)
            found[name] = value
        return found

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """The recipe that `to_dict` describes.

        Args:
            values: Dict from names of fields to values. Fields that are missing
                have their defaults.

        Returns:
            A `Recipe`.

        Raises:
            ValueError: If `values` is not such a dict, or its values do not
                make a recipe.
        """
        require(
            isinstance(values, dict),
            "`values` must be a dict of the fields of a recipe.",
            values=values,
        )
        checked("", dict.fromkeys(values), dict.fromkeys(FIELDS, (Any, None)))
        return cls(**values)


NUMBERS = tuple(name for name in FIELDS if name not in PARTS)
DEFAULTS = Recipe()
