from dataclasses import dataclass, fields

from keras_mixvit._checks import (
    require,
    require_choice,
    require_positive_integer,
    require_rate,
)

TRANSFORMERS = ("convit", "cait")
RESIDUAL = ("wideresnet", "preactresnet", "resnet")
METHODS = (
    "mixvit",
    "mimo",
    "linear-mixmo",
    "cut-mixmo",
    "cutmix",
    "mixup",
    "manifold-mixup",
)
# Options that say nothing where a method or a backbone has no use for them.
OF_METHODS = {
    "num_subnetworks": METHODS[:4],
    "source_attribution": ("mixvit",),
    "attribution_position": ("mixvit",),
    "input_mixing": ("mixvit",),
    "inference": METHODS[:4],
    "ensemble_of": METHODS[:4],
    "alpha": ("mixvit", "linear-mixmo", "cut-mixmo"),
    "r": ("linear-mixmo", "cut-mixmo"),
    "probability": ("cut-mixmo",),
    "repetitions": METHODS[:4],
    "pixel_mixing": METHODS[:4],
}
OF_BACKBONES = {
    "patch_size": TRANSFORMERS,
    "width": TRANSFORMERS,
    "num_heads": TRANSFORMERS,
    "num_blocks": TRANSFORMERS,
    "num_class_blocks": TRANSFORMERS,
    "stochastic_depth_rate": TRANSFORMERS,
    "depth": ("wideresnet",),
    "widening": RESIDUAL,
}


@dataclass(frozen=True)
class TrainingOptions:
    """What `train` trains, how, and where it puts the results.

    Defaults are a small ConViT that trains on the embedded digits within
    minutes. Transformers are trained with AdamW, as in the MixViT paper, which
    trains a much larger network for 150 epochs with a rate of 0.001, label
    smoothing of 0.1 and strong augmentation; residual networks with Nesterov
    SGD and L2 in the loss, as in the MixMo paper, which trains for 300 epochs.
    The schedule is MixViT's for both. An option that the method or the
    backbone has no use for must be left alone.

    Args:
        data: What `keras_mixvit.load` takes. Defaults to `"digits"`.
        output: Folder of the run, or `None` for a new one below `runs`.
            Defaults to `None`.
        method: `"mixvit"`; `"mimo"`, `"linear-mixmo"` or `"cut-mixmo"`; or, for
            a single network, `"cutmix"`, `"mixup"` or `"manifold-mixup"`.
            Defaults to `"mixvit"`.
        backbone: `"convit"`, `"cait"`, `"wideresnet"`, `"preactresnet"` or
            `"resnet"`. Defaults to `"convit"`.
        depth: Integer 6n + 4, the layers of a WideResNet. Defaults to `10`.
        widening: Integer, the factor of the channels of a residual network.
            Defaults to `1`.
        patch_size: Integer in pixels, or `None` for an eighth of the image,
            between 2 and 16. Defaults to `None`.
        width: Integer, the number of features of a token. Defaults to `48`.
        num_heads: Integer. Defaults to `4`.
        num_blocks: Integer, self-attention blocks. Defaults to `2`.
        num_class_blocks: Integer, class-attention blocks. Defaults to `2`.
        num_subnetworks: Integer of at least 2. Defaults to `2`.
        source_attribution: `"embedding"`, `"encoding"` or `"none"`. Defaults
            to `"embedding"`.
        attribution_position: `"late"` or `"early"`. Defaults to `"late"`.
        input_mixing: `"binarized_cutmix"`, `"averaged_masks"` or
            `"all_tokens"`. Defaults to `"binarized_cutmix"`.
        inference: `"parallel"`, `"sum"`, `"alternating"` (MixViT), the index of
            a subnetwork, or `None` for the method's own. Defaults to `None`.
        ensemble_of: `"logits"` or `"probabilities"`. Defaults to `"logits"`.
        alpha: Positive float, the parameter of the masks, or `None` for 0.5 in
            MixViT and 2 in MixMo. Defaults to `None`.
        r: Positive float, how alike the weights of the losses of MixMo are.
            Defaults to `3.0`.
        probability: Float in [0, 1], how many batches of Cut-MixMo have boxes.
            Defaults to `0.5`.
        repetitions: Integer b that divides `batch_size`, how often an image
            stands in a batch. Defaults to `1`.
        pixel_mixing: `"none"`, `"cutmix"` or `"mixup"` within each input.
            Defaults to `"none"`.
        epochs: Integer. Defaults to `60`.
        batch_size: Integer. Defaults to `64`.
        learning_rate: Positive float, after the warm-up, or `None` for 0.002
            with transformers and `0.1 / b * batch_size / 128` with residual
            networks. Defaults to `None`.
        weight_decay: Non-negative float, of AdamW or, with residual networks,
            the weight of the sum of squares in the loss; `None` for 0.05 and
            3e-4. Defaults to `None`.
        label_smoothing: Float in [0, 1). Defaults to `0.0`.
        stochastic_depth_rate: Float in [0, 1). Defaults to `0.0`.
        seed: Non-negative integer. Defaults to `0`.
        single: Boolean, whether to train the single network too. Defaults to
            `True`.

    Raises:
        ValueError: If an option is out of its range.

    Example:

    ```python
    options = TrainingOptions(epochs=1, seed=3)
    ```

    References:
        MixViT, Section 4 and Appendix H; MixMo, Section 6.4.
    """

    data: str = "digits"
    output: str | None = None
    method: str = "mixvit"
    backbone: str = "convit"
    depth: int = 10
    widening: int = 1
    patch_size: int | None = None
    width: int = 48
    num_heads: int = 4
    num_blocks: int = 2
    num_class_blocks: int = 2
    num_subnetworks: int = 2
    source_attribution: str = "embedding"
    attribution_position: str = "late"
    input_mixing: str = "binarized_cutmix"
    inference: str | int | None = None
    ensemble_of: str = "logits"
    alpha: float | None = None
    r: float = 3.0
    probability: float = 0.5
    repetitions: int = 1
    pixel_mixing: str = "none"
    epochs: int = 60
    batch_size: int = 64
    learning_rate: float | None = None
    weight_decay: float | None = None
    label_smoothing: float = 0.0
    stochastic_depth_rate: float = 0.0
    seed: int = 0
    single: bool = True

    def __post_init__(self):
        require_choice("method", self.method, METHODS)
        require_choice("backbone", self.backbone, (*TRANSFORMERS, *RESIDUAL))
        require(
            self.method != "mixvit" or self.backbone in TRANSFORMERS,
            "`backbone` must be a transformer with the method 'mixvit'.",
            backbone=self.backbone,
        )
        self._require_use("method", OF_METHODS)
        self._require_use("backbone", OF_BACKBONES)
        require_choice("pixel_mixing", self.pixel_mixing, ("none", "cutmix", "mixup"))
        require_choice(
            "source_attribution",
            self.source_attribution,
            ("embedding", "encoding", "none"),
        )
        require_positive_integer("epochs", self.epochs)
        require_positive_integer("batch_size", self.batch_size)
        require_positive_integer("seed", self.seed, minimum=0)
        require_rate("label_smoothing", self.label_smoothing)
        require(
            0 < self.resolved_learning_rate < float("inf"),
            "`learning_rate` must be a positive finite number.",
            learning_rate=self.learning_rate,
        )
        require(
            0 <= self.resolved_weight_decay < float("inf"),
            "`weight_decay` must not be negative.",
            weight_decay=self.weight_decay,
        )

    @property
    def is_residual(self) -> bool:
        """Whether the backbone is a residual network."""
        return self.backbone in RESIDUAL

    @property
    def resolved_learning_rate(self) -> float:
        """The learning rate, or the rule of the papers."""
        if self.learning_rate is not None:
            return self.learning_rate
        if self.is_residual:
            return 0.1 / self.repetitions * self.batch_size / 128
        return 2e-3

    @property
    def resolved_weight_decay(self) -> float:
        """The weight decay, or that of the papers."""
        if self.weight_decay is not None:
            return self.weight_decay
        return 3e-4 if self.is_residual else 0.05

    def _require_use(self, chooser, uses):
        chosen = getattr(self, chooser)
        for field in fields(self):
            value, users = getattr(self, field.name), uses.get(field.name)
            require(
                users is None or chosen in users or value == field.default,
                f"`{field.name}` must be left alone with the {chooser} {chosen!r}.",
                **{field.name: value},
            )
