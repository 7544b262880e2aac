"""The MixViT paper's own count of what its networks cost."""

from dataclasses import dataclass

from keras_mixvit._protocols import HasBackbone
from keras_mixvit.backbones import ConViT, ViT
from keras_mixvit.backbones._vision_transformer import VisionTransformer
from keras_mixvit.models import MIMOModel


@dataclass(frozen=True)
class AppendixA:
    """Multiplications of a MixViT by the formulas of its paper.

    They are about late source attribution and parallel inference, and class
    attention in its usual form, with keys and values of all N tokens. They
    leave out biases, patch embedding, heads, normalisation and source
    attribution. The terms of self-attention sum to 12 N d² + 2 N² d; the paper
    prints 13 N d² + 2 N² d.

    Args:
        blocks: Integer, the number L of self-attention blocks.
        class_blocks: Integer, the number of class-attention blocks, 2 in the
            paper.
        tokens: Integer, the number N of patches.
        width: Integer, the width d of a token.
        subnetworks: Integer, the number M of subnetworks; 1 gives a single
            network.
        training: Boolean; in training everything runs once. Defaults to
            `False`.

    References:
        MixViT, Section 2.4 and Appendix A.
    """

    blocks: int
    class_blocks: int
    tokens: int
    width: int
    subnetworks: int
    training: bool = False

    @property
    def self_attention(self) -> int:
        """One self-attention block with its MLP: the sum of the five terms."""
        return 12 * self.tokens * self.width**2 + 2 * self.tokens**2 * self.width

    @property
    def self_attention_as_printed(self) -> int:
        """The same as the paper prints it, one N d² more than its terms."""
        return self.self_attention + self.tokens * self.width**2

    @property
    def class_attention(self) -> int:
        """One class-attention block with its MLP: (3 N + 9) d² + 2 N d."""
        return (3 * self.tokens + 9) * self.width**2 + 2 * self.tokens * self.width

    @property
    def passes(self) -> int:
        """How many times the class-attention blocks run."""
        return 1 if self.training else self.subnetworks

    @property
    def multiply_adds(self) -> int:
        """All blocks, those of class attention once per subnetwork."""
        class_blocks = self.passes * self.class_blocks * self.class_attention
        return self.blocks * self.self_attention + class_blocks

    @property
    def ratio(self) -> float:
        """`multiply_adds` against those of a single network."""
        single = self.multiply_adds - self.further * (self.passes - 1)
        return self.multiply_adds / single

    @property
    def further(self) -> int:
        """What each further pass of the class-attention blocks adds."""
        return self.class_blocks * self.class_attention

    @property
    def rough_ratio(self) -> float:
        """Section 2.4, (L + 2 M) / (L + 2): all blocks cost the same."""
        return self._bound(1.0)

    @property
    def tight_ratio(self) -> float:
        """Appendix A, (L + 0.5 M) / (L + 0.5): a quarter for class attention."""
        return self._bound(0.25)

    def _bound(self, share):
        once = share * self.class_blocks
        return (self.blocks + once * self.passes) / (self.blocks + once)


def appendix_a(model, training: bool = False) -> AppendixA | None:
    """The paper's formulas for a model or backbone, where they apply.

    Args:
        model: Model or backbone.
        training: Boolean, whether training is meant. Defaults to `False`.

    Returns:
        `AppendixA`, or `None` without class-attention blocks over patches or
        with an MLP that is not four times as wide as a token.
    """
    backbone = model.backbone if isinstance(model, HasBackbone) else model
    if not isinstance(backbone, VisionTransformer) or backbone.mlp_ratio != 4:
        return None
    if isinstance(backbone, ViT):
        return None
    if isinstance(backbone, ConViT) and backbone.trunk_attention != "class_attention":
        return None
    height, width = backbone.grid_shape
    return AppendixA(
        backbone.num_blocks,
        backbone.num_class_blocks,
        height * width,
        backbone.width,
        model.num_subnetworks if isinstance(model, MIMOModel) else 1,
        training,
    )
