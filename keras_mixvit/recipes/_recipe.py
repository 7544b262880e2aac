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
# Fields that a recipe file always has, even with their defaults.
ALWAYS = ("name", "data", "backbone", "method", "batch_size", "epochs")


@dataclass(frozen=True, init=False)
class Recipe:
    """A training: data, backbone, method, augmentation, optimizer, schedule.

    Each part has the name of what it builds and the options for its constructor, such
    as `backbone={"name": "convit", "width": 96}`. The defaults describe a small ConViT
    that trains on the digits within minutes.

    Args:
        name: String, the name of the recipe. Defaults to `"mine"`.
        data: `Data`, a dict of its arguments, or the name or path of a data set.
            Defaults to `"digits"`.
        backbone: `Part`: `"convit"`, `"cait"`, `"vit"`, `"wide_resnet"`,
            `"preact_resnet"`, `"resnet"`, which are small by default, or a name for
            `make_backbone`. Defaults to `"convit"`.
        method: `Part`: `"mixvit"`, options of `MixViT`; `"mimo"`,
            `"linear_mixmo"` or `"cut_mixmo"`, options of `MixMo`; `"single"`, a
            single network; or `"manifold_mixup"`, options of `ManifoldMixUp`.
            Defaults to `"mixvit"`.
        mixing: `Part` without a name, the masks that mix the inputs: `alpha` and
            `owner_per` with MixViT; `alpha` with Linear-MixMo and Manifold MixUp;
            `alpha`, `masks`, `probability`, `always_binary` and `several` with
            Cut-MixMo. `None` sets none. Defaults to `None`.
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
        batch_size: Integer B, with repetitions. Defaults to `64`.
        epochs: Integer, the number of epochs. Defaults to `60`.
        epoch_scale: Positive float, factor for epochs and schedule. Defaults to `1.0`.
        width_scale: Positive float, a factor for width per head or widening, for
            trials. Defaults to `1.0`.
        preset: String, the name or path of a preset whose weights the network starts
            from, as in `MixViT.from_preset`, or `""` for new weights. `backbone` then
            names the backbone of the preset, and has only the options to override.
            Defaults to `""`.
        num_members: Integer N, the number of networks of an ensemble. Defaults to `1`.
        ensemble_of: `"logits"` or `"probabilities"`, what subnetworks and
            members average. Defaults to `"logits"`.
        precision: `"float32"` or `"bfloat16"`, the dtype in which a step computes;
            weights are always float32. Defaults to `"float32"`.
        seed: Non-negative integer. Defaults to `0`.
        note: String, the choices where a paper is silent or contradicts itself.
            Defaults to `""`.

    Raises:
        ValueError: If an option is unknown, of a wrong type or out of its range, or
            does not fit the other parts.

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
    preset: str
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
        preset: str = "",
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
        """Whether images are augmented, not counting mixing."""
        return self.augmentation != Part("none")

    @property
    def is_scaled(self) -> bool:
        """Whether epochs, width or data are scaled for a trial."""
        return (self.epoch_scale, self.width_scale, self.data.share) != (1, 1, 1)

    @property
    def total_epochs(self) -> int:
        """The number of epochs to train, with `epoch_scale`."""
        return max(1, round(self.epochs * self.epoch_scale))

    @property
    def repetitions(self) -> int:
        """How often an image appears in a batch, b."""
        return self.pairs.options.get("repetitions", 1)

    @property
    def optimizer_name(self) -> str:
        """The name of the optimizer."""
        return self.optimizer.name or ("sgd" if self.is_residual else "adamw")

    @property
    def learning_rate(self) -> float:
        """The learning rate after the warm-up, by its rule."""
        return self.schedule.rate(
            self.batch_size, self.repetitions, self.optimizer_name == "sgd"
        )

    def replace(self, **changes: Any) -> "Recipe":
        """The same recipe with other fields.

        Args:
            **changes: Values by the names of fields. This replaces a whole part;
                `with_settings` changes one of its options.

        Returns:
            A `Recipe`.
        """
        checked("", dict.fromkeys(changes), dict.fromkeys(FIELDS, (Any, None)))
        return dataclasses.replace(self, **changes)

    def with_settings(self, settings: list[str] | dict[str, Any]) -> "Recipe":
        """The same recipe with other options.

        Args:
            settings: Dict from names such as `"backbone.width"` to values, or list of
                strings such as `"backbone.width=96"`, where `none`, `true` and `false`
                mean `None`, `True` and `False`, and commas separate numbers.
                `"method=mimo"` changes the name and keeps the options that fit.

        Returns:
            A `Recipe`.

        Raises:
            ValueError: If there is no such option, or it does not accept the value.
        """
        return dataclasses.replace(self, **with_settings(self, settings))

    def scaled(self, factor: float) -> "Recipe":
        """The same recipe with fewer or more epochs and a scaled schedule, for trials.

        Args:
            factor: Positive float, the factor for epochs and schedule.

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
        """The single network on the same data and backbone, for comparison.

        For MixViT, it keeps pixel mixing and repetitions, as in the paper. The MixMo
        paper compares with a network that has neither.

        Args:
            cutmix: Boolean, whether to train it with CutMix, for the same number of
                steps as this recipe. Defaults to `False`.

        Returns:
            A `Recipe` of the method `"single"`.
        """
        return baseline_of(self, cutmix)

    def members(self) -> "list[Recipe]":
        """The recipes of the networks of an ensemble, each with its own seed.

        Returns:
            List of `num_members` recipes of one network.
        """
        return members_of(self)

    def to_dict(self) -> dict[str, Any]:
        """The fields that differ from the defaults, and always the main ones.

        Returns:
            Dict of plain values, or, for a part, of a dict of them.
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
        """The recipe from the dict of `to_dict`.

        Args:
            values: Dict from fields to values; others have their defaults.

        Returns:
            A `Recipe`.

        Raises:
            ValueError: If `values` is not such a dict, or its values are not a recipe.
        """
        require(
            isinstance(values, dict),
            "`values` must be a dict with the fields of a recipe.",
            values=values,
        )
        checked("", dict.fromkeys(values), dict.fromkeys(FIELDS, (Any, None)))
        return cls(**values)


NUMBERS = tuple(name for name in FIELDS if name not in PARTS)
DEFAULTS = Recipe()
