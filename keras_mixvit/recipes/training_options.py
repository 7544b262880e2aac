from dataclasses import dataclass

from keras_mixvit._checks import (
    require,
    require_choice,
    require_positive_integer,
    require_rate,
)

BACKBONES = ("convit", "cait")


@dataclass(frozen=True)
class TrainingOptions:
    """What `train` trains, how, and where it puts the results.

    Defaults are a small ConViT that trains on the embedded digits within
    minutes. Optimizer and schedule are the MixViT paper's, which trains a much
    larger network for 150 epochs with a rate of 0.001, label smoothing of 0.1
    and strong augmentation.

    Args:
        data: What `keras_mixvit.load` takes. Defaults to `"digits"`.
        output: Folder of the run, or `None` for a new one below `runs`.
            Defaults to `None`.
        backbone: `"convit"` or `"cait"`. Defaults to `"convit"`.
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
        inference: `"parallel"`, `"sum"`, `"alternating"`, or the index of a
            subnetwork. Defaults to `"parallel"`.
        ensemble_of: `"logits"` or `"probabilities"`. Defaults to `"logits"`.
        alpha: Positive float, the parameter of the masks. Defaults to `0.5`.
        epochs: Integer. Defaults to `60`.
        batch_size: Integer. Defaults to `64`.
        learning_rate: Positive float, after the warm-up. Defaults to `0.002`.
        weight_decay: Non-negative float. Defaults to `0.05`.
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
        MixViT, Section 4 and Appendix H.
    """

    data: str = "digits"
    output: str | None = None
    backbone: str = "convit"
    patch_size: int | None = None
    width: int = 48
    num_heads: int = 4
    num_blocks: int = 2
    num_class_blocks: int = 2
    num_subnetworks: int = 2
    source_attribution: str = "embedding"
    attribution_position: str = "late"
    input_mixing: str = "binarized_cutmix"
    inference: str | int = "parallel"
    ensemble_of: str = "logits"
    alpha: float = 0.5
    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.0
    stochastic_depth_rate: float = 0.0
    seed: int = 0
    single: bool = True

    def __post_init__(self):
        require_choice("backbone", self.backbone, BACKBONES)
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
            0 < self.learning_rate < float("inf"),
            "`learning_rate` must be a positive finite number.",
            learning_rate=self.learning_rate,
        )
        require(
            0 <= self.weight_decay < float("inf"),
            "`weight_decay` must not be negative.",
            weight_decay=self.weight_decay,
        )
