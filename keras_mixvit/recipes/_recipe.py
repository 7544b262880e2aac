import dataclasses
import math
import sys
from dataclasses import dataclass

from keras_mixvit._checks import is_number, require, require_known
from keras_mixvit.recipes._published import Published
from keras_mixvit.recipes._recipe_checks import (
    OF_METHODS,
    RESIDUAL,
    require_recipe,
    require_types,
)
from keras_mixvit.recipes._settings import parsed_settings

# Fields that do not describe the training, and the seed.
NEUTRAL = {"name", "published", "note", "seed"}


@dataclass(frozen=True)
class Recipe:
    """A training: data, method, backbone, augmentation, optimizer, schedule.

    Every field is a plain value. The defaults describe a small ConViT that
    trains on the embedded digits within minutes. Set no option that the method,
    the backbone or the optimizer does not use.

    Args:
        name: String, the name of the recipe. Defaults to `"mine"`.
        data: String, the name or path that `keras_mixvit.load` takes. Defaults
            to `"digits"`.
        image_size: Integer, the side in pixels to which images are resized, or
            `None` for their own size. Defaults to `None`.
        data_share: Float in (0, 1], the share of the training images of each
            class to train on. Defaults to `1.0`.
        protocol: `"validation"` to choose the best epoch and the temperature by
            validation images, or `"paper"` to train on all training images,
            watch the test images and report the last epoch, without any choice.
            Defaults to `"validation"`.
        val_share: Float in (0, 1), the share of the training images, the same
            of each class, that validates a set without a validation split, or
            `None` for 0.1. Defaults to `None`.
        method: `"mixvit"`; `"mimo"`, `"linear-mixmo"` or `"cut-mixmo"`; or, for
            a single network, `"single"`, `"cutmix"`, `"mixup"` or
            `"manifold-mixup"`. Defaults to `"mixvit"`.
        num_subnetworks: Integer of at least 2, the number M. Defaults to `2`.
        source_attribution: `"embedding"`, `"encoding"` or `"none"`. Defaults
            to `"embedding"`.
        attribution_position: `"late"` or `"early"`. Defaults to `"late"`.
        input_mixing: `"binarized_cutmix"`, `"averaged_masks"` or
            `"all_tokens"`. Defaults to `"binarized_cutmix"`.
        owner_per: `"batch"` or `"sample"`, what shares one draw of the
            subnetwork that owns the box of MixViT. Defaults to `"batch"`.
        inference: `"parallel"`, `"sum"`, `"alternating"` (MixViT), the index of
            a subnetwork, or `None` for the method's own. Defaults to `None`.
        alternation: `"random"` or `"checkerboard"`, the pattern of alternating
            inference. Defaults to `"random"`.
        ensemble_of: `"logits"` or `"probabilities"`. Defaults to `"logits"`.
        masks: The binary masks of Cut-MixMo: `"cutmix"` (in whole patches on
            transformers), `"patch-cutmix"`, `"horizontal-concatenation"`,
            `"vertical-concatenation"`, `"patchup"`, `"fmix"` or `"cowmask"`.
            Defaults to `"cutmix"`.
        probability: Float in [0, 1], how many batches of Cut-MixMo have binary
            masks. Defaults to `0.5`.
        always_binary: Boolean, whether all batches of Cut-MixMo have binary
            masks, those of the last twelfth of training too. Defaults to
            `False`.
        mixing: `"dirichlet"` or `"two"`, which of more than two inputs the
            binary masks of Cut-MixMo mix. Defaults to `"dirichlet"`.
        alpha: Positive float, the parameter of the masks, or of Manifold MixUp,
            or `None` for 0.5 in MixViT and 2 elsewhere. Defaults to `None`.
        r: Positive float, how alike the weights of the losses of MixMo are.
            Defaults to `3.0`.
        num_stems: Integer, M or 1, the encoders of MixMo, or `None` for M.
            Defaults to `None`.
        num_classifiers: Integer, M or 1, the heads of MixMo, or `None` for M.
            Defaults to `None`.
        member_order: `"random"` or `"by_ratio"`, the order of the inputs of a
            pair, or `None` for that in which they are drawn. Defaults to
            `None`.
        input_repetition: Float in [0, 1], the share of pairs that hold one
            image M times. Defaults to `0.0`.
        places: Integer, where Manifold MixUp may mix. Defaults to `3`.
        num_members: Integer N, how many networks are trained independently and
            make an ensemble. Defaults to `1`.
        backbone: `"convit"`, `"cait"`, `"wideresnet"`, `"preactresnet"`,
            `"resnet"`, or a name that `make_backbone` knows. Defaults to
            `"convit"`.
        patch_size: Integer in pixels, or `None` for an eighth of the image,
            between 2 and 16. Defaults to `None`.
        width: Integer, the number of features of a token, or `None` for that
            of a named backbone, else 48. Defaults to `None`.
        num_heads: Integer, or `None` for that of a named backbone, else 4.
            Defaults to `None`.
        num_blocks: Integer, blocks of the body, or `None` for that of a named
            backbone, else 2. Defaults to `None`.
        num_class_blocks: Integer, blocks of the trunk, or `None` for that of a
            named backbone, else 2. Defaults to `None`.
        trunk_attention: `"class_attention"` or `"self_attention"`, what the
            trunk of a ConViT is, or `None` for the backbone's own. Defaults to
            `None`.
        depth: Integer 6n + 4, the layers of a WideResNet. Defaults to `10`.
        widening: Integer, the factor of the channels of a residual network.
            Defaults to `1`.
        strided: `"second"` or `"first"`, the convolution of a block of a
            WideResNet that has its stride. Defaults to `"second"`.
        width_scale: Positive float, by which width per head or widening are
            multiplied, for trials. Defaults to `1.0`.
        stochastic_depth_rate: Float in [0, 1), or `None` for that of a named
            backbone, else 0. Defaults to `None`.
        dropout_rate: Float in [0, 1), dropout of a transformer. Defaults to
            `0.0`.
        augmentation: A name that `augmentation_names` lists. Defaults to
            `"none"`.
        crop_padding: Integer in pixels, of augmentations that pad and crop.
            Defaults to `4`.
        random_erasing: Float in [0, 1], the share of images that lose a box.
            Defaults to `0.0`.
        pixel_mixing: `"none"`, `"cutmix"`, `"mixup"` or `"cutmix+mixup"` within
            each input. Defaults to `"none"`.
        pixel_probability: Float in [0, 1], the share of inputs that are mixed
            so, or `None` for that of the papers. Defaults to `None`.
        pixel_alpha: Positive float, the parameter of that mixing, or `None`
            for 1. Defaults to `None`.
        pixel_mixup_alpha: Positive float, the parameter of MixUp in
            `"cutmix+mixup"`, or `None` for 0.8. Defaults to `None`.
        pixel_partners: `"dataset"` or `"batch"`, where the other images come
            from. Defaults to `"dataset"`.
        visible_share: Boolean, whether labels of inputs that are mixed in
            pixels follow what the masks leave visible. Defaults to `True`.
        apply_on: `"pipeline"` or `"device"`, where images are augmented and
            mixed in pixels. Defaults to `"pipeline"`.
        label_smoothing: Float in [0, 1). Defaults to `0.0`.
        class_weight: `"balanced"`, with which every class counts alike, or a
            tuple of numbers, the weight of each class, or `None` for equal
            ones. Defaults to `None`.
        repetitions: Integer b that divides `batch_size`, how often an image
            stands in a batch. Defaults to `1`.
        batch_size: Integer B, repetitions included. Defaults to `64`.
        epochs: Integer. Defaults to `60`.
        epoch_scale: Positive float, by which epochs and the whole schedule are
            multiplied, for trials. Defaults to `1.0`.
        optimizer: `"adamw"` or `"sgd"`, or `None` for AdamW with transformers
            and SGD with residual networks. Defaults to `None`.
        learning_rate: Positive float, after the warm-up, or `None` for 0.002
            with AdamW and `0.1 / b * batch_size / 128` with SGD. Defaults to
            `None`.
        batch_rule: `"none"`, `"sqrt"` or `"linear"`: what the rate is
            multiplied with, 1, `sqrt(batch_size / base_batch_size)`, or
            `batch_size / base_batch_size / repetitions`. Defaults to `"none"`.
        base_batch_size: Integer. Defaults to `128`.
        weight_decay: Non-negative float, decoupled from the rate's gradient,
            or `None` for 0.05 with AdamW and 0 with SGD. Defaults to `None`.
        l2: Non-negative float, the weight of the sum of squares of all
            parameters of a residual network in the loss, or `None` for 3e-4
            with SGD and 0 with AdamW. Defaults to `None`.
        momentum: Float in [0, 1), of SGD. Defaults to `0.9`.
        nesterov: Boolean, of SGD. Defaults to `True`.
        warmup_epochs: Float, epochs over which the rate rises, or `None` for a
            tenth of them. Defaults to `None`.
        decay_epochs: Tuple of floats, epochs after which the rate falls, or
            `None` for 5/6 and 14/15 of them. Defaults to `None`.
        decay_rate: Positive float, the factor of each fall. Defaults to `0.1`.
        precision: `"float32"` or `"bfloat16"`, in which a step computes;
            weights are float32 in both. Defaults to `"float32"`.
        recompute: Boolean, whether to compute each block a second time in the
            backward pass, which needs less memory and more time. Defaults to
            `False`.
        seed: Non-negative integer. Defaults to `0`.
        published: Tuple of `Published`, the rows of the papers that this is.
            Defaults to `()`.
        note: String, the choices where a paper is silent or contradicts itself.
            Defaults to `""`.

    Raises:
        ValueError: If an option is out of its range, of a wrong type, or
            without effect.

    Example:

    ```python
    mine = Recipe(epochs=10).with_settings(["method=mimo", "num_subnetworks=3"])
    assert mine.num_subnetworks == 3 and mine.scaled(0.5).total_epochs == 5
    ```

    References:
        MixViT, Section 4 and Appendix H; MixMo, Section 6.4.
    """

    name: str = "mine"
    data: str = "digits"
    image_size: int | None = None
    data_share: float = 1.0
    protocol: str = "validation"
    val_share: float | None = None
    method: str = "mixvit"
    num_subnetworks: int = 2
    source_attribution: str = "embedding"
    attribution_position: str = "late"
    input_mixing: str = "binarized_cutmix"
    owner_per: str = "batch"
    inference: str | int | None = None
    alternation: str = "random"
    ensemble_of: str = "logits"
    masks: str = "cutmix"
    probability: float = 0.5
    always_binary: bool = False
    mixing: str = "dirichlet"
    alpha: float | None = None
    r: float = 3.0
    num_stems: int | None = None
    num_classifiers: int | None = None
    member_order: str | None = None
    input_repetition: float = 0.0
    places: int = 3
    num_members: int = 1
    backbone: str = "convit"
    patch_size: int | None = None
    width: int | None = None
    num_heads: int | None = None
    num_blocks: int | None = None
    num_class_blocks: int | None = None
    trunk_attention: str | None = None
    depth: int = 10
    widening: int = 1
    strided: str = "second"
    width_scale: float = 1.0
    stochastic_depth_rate: float | None = None
    dropout_rate: float = 0.0
    augmentation: str = "none"
    crop_padding: int = 4
    random_erasing: float = 0.0
    pixel_mixing: str = "none"
    pixel_probability: float | None = None
    pixel_alpha: float | None = None
    pixel_mixup_alpha: float | None = None
    pixel_partners: str = "dataset"
    visible_share: bool = True
    apply_on: str = "pipeline"
    label_smoothing: float = 0.0
    class_weight: str | tuple | None = None
    repetitions: int = 1
    batch_size: int = 64
    epochs: int = 60
    epoch_scale: float = 1.0
    optimizer: str | None = None
    learning_rate: float | None = None
    batch_rule: str = "none"
    base_batch_size: int = 128
    weight_decay: float | None = None
    l2: float | None = None
    momentum: float = 0.9
    nesterov: bool = True
    warmup_epochs: float | None = None
    decay_epochs: tuple[float, ...] | None = None
    decay_rate: float = 0.1
    precision: str = "float32"
    recompute: bool = False
    seed: int = 0
    published: tuple[Published, ...] = ()
    note: str = ""

    def __post_init__(self):
        require_types(self)
        require_recipe(self)

    @property
    def is_residual(self) -> bool:
        """Whether the backbone is a residual network."""
        return self.backbone in RESIDUAL

    @property
    def is_augmented(self) -> bool:
        """Whether images are augmented, mixing aside."""
        return self.augmentation != "none" or self.random_erasing > 0

    @property
    def is_scaled(self) -> bool:
        """Whether epochs, width or data are scaled for a trial."""
        return (self.epoch_scale, self.width_scale, self.data_share) != (1, 1, 1)

    @property
    def total_epochs(self) -> int:
        """The number of epochs to train, `epoch_scale` included."""
        return max(1, round(self.epochs * self.epoch_scale))

    @property
    def resolved_optimizer(self) -> str:
        """The optimizer, or that of the papers."""
        return self.optimizer or ("sgd" if self.is_residual else "adamw")

    @property
    def resolved_learning_rate(self) -> float:
        """The rate after the warm-up, by its rule."""
        rate, rule = self.learning_rate, self.batch_rule
        if rate is None and self.resolved_optimizer == "sgd":
            return 0.1 / self.repetitions * self.batch_size / 128
        share = self.batch_size / self.base_batch_size
        factors = {
            "none": 1.0,
            "sqrt": math.sqrt(share),
            "linear": share / self.repetitions,
        }
        return (2e-3 if rate is None else rate) * factors[rule]

    @property
    def resolved_weight_decay(self) -> float:
        """The decoupled weight decay, or that of the papers."""
        if self.weight_decay is not None:
            return self.weight_decay
        return 0.0 if self.resolved_optimizer == "sgd" else 0.05

    @property
    def resolved_l2(self) -> float:
        """The weight of the sum of squares in the loss, or that of the papers."""
        if self.l2 is not None:
            return self.l2
        return 3e-4 if self.is_residual and self.resolved_optimizer == "sgd" else 0.0

    @property
    def resolved_pixel_mixing(self) -> str:
        """The mixing of pixels: the method itself if it is CutMix or MixUp."""
        own = self.method in ("cutmix", "mixup")
        return self.method if own else self.pixel_mixing

    @property
    def resolved_warmup_epochs(self) -> float:
        """Epochs of the warm-up, of `epochs`."""
        tenth = self.epochs / 10
        return tenth if self.warmup_epochs is None else self.warmup_epochs

    @property
    def resolved_decay_epochs(self) -> tuple[float, ...]:
        """Epochs after which the rate falls, of `epochs`."""
        if self.decay_epochs is not None:
            return self.decay_epochs
        return (self.epochs * 5 / 6, self.epochs * 14 / 15)

    def replace(self, **changes) -> "Recipe":
        """The same recipe with other values.

        If you change the training itself, the published figures no longer
        belong to the recipe, and the result has none.

        Args:
            **changes: Values by the names of fields.

        Returns:
            A `Recipe`.
        """
        for name in changes:
            require_known("setting", name, _names())
        changed = dataclasses.replace(self, **changes)
        differs = any(
            getattr(changed, name) != getattr(self, name)
            for name in set(changes) - NEUTRAL
        )
        if differs and "published" not in changes:
            changed = dataclasses.replace(changed, published=())
        return changed

    def with_settings(self, settings: list[str]) -> "Recipe":
        """The same recipe with values from texts.

        Args:
            settings: List of strings `"key=value"`. `none`, `true` and `false`
                stand for `None`, `True` and `False`; commas separate the
                numbers of a tuple.

        Returns:
            A `Recipe`.
        """
        return self.replace(**parsed_settings(settings, type(self)))

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

    def baseline(self) -> "Recipe":
        """The single network for comparison, on the same data and backbone.

        For MixViT it keeps pixel mixing and repetitions, as in the paper. The
        paper of MixMo compares with a network without either.

        Returns:
            A `Recipe` of the method `"single"`.
        """
        of_method = {
            field.name: field.default
            for field in dataclasses.fields(self)
            if field.name in OF_METHODS
        }
        kept = {"method": "single", "num_members": 1, "ensemble_of": "logits"}
        if self.method == "mixvit":
            of_method = {
                name: value
                for name, value in of_method.items()
                if not name.startswith("pixel_")
            }
        else:
            kept |= {"repetitions": 1}
            if not self.is_augmented:
                kept |= {"apply_on": "pipeline"}
        return self.replace(**of_method, **kept, name=f"{self.name}-single")

    def members(self) -> "list[Recipe]":
        """A recipe for each network of an ensemble, with a seed of its own.

        Returns:
            List of `num_members` recipes of one network.
        """
        return [
            self.replace(num_members=1, seed=self.seed * self.num_members + i)
            if self.num_members > 1
            else self
            for i in range(self.num_members)
        ]

    def to_dict(self) -> dict:
        """The fields by name, for JSON.

        Returns:
            Dict of strings, numbers, booleans, `None` and lists.
        """
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "Recipe":
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
        for name in values:
            require_known("setting", name, _names())
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        rows = values.get("published", ())
        require(
            isinstance(rows, tuple),
            "`published` must be a list of rows.",
            published=rows,
        )
        values["published"] = tuple(
            row if isinstance(row, Published) else Published.from_dict(row)
            for row in rows
        )
        return cls(**values)


def _names():
    return [field.name for field in dataclasses.fields(Recipe)]
