"""The MixViT paper's own formulas for the costs of its networks."""

from dataclasses import dataclass

from keras_mixvit._protocols import HasBackbone
from keras_mixvit.backbones import ConViT, ViT
from keras_mixvit.backbones._vision_transformer import VisionTransformer
from keras_mixvit.models import MIMOModel


@dataclass(frozen=True)
class AppendixA:
    """The multiplications of a MixViT, by the formulas of its paper.

    The formulas are for late source attribution and parallel inference, and for class
    attention in its usual form, with keys and values of all N tokens. They leave out
    biases, patch embedding, heads, normalisation and source attribution. The terms of
    self-attention sum to 12 N d² + 2 N² d; the paper prints 13 N d² + 2 N² d.

    Args:
        blocks: Integer, the number L of self-attention blocks.
        class_blocks: Integer, the number of class-attention blocks; 2 in the paper.
        tokens: Integer, the number N of patches.
        width: Integer, the width d of a token.
        subnetworks: Integer, the number M of subnetworks; 1 gives a single
            network.
        training: Boolean, whether to count training, in which everything runs once.
            Defaults to `False`.

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
        """One self-attention block with its MLP: the sum of five terms."""
        return 12 * self.tokens * self.width**2 + 2 * self.tokens**2 * self.width

    @property
    def self_attention_as_printed(self) -> int:
        """The value that the paper prints, N d² more than the sum of its terms."""
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
        """Multiplications of all blocks, with class attention once per subnetwork."""
        class_blocks = self.passes * self.class_blocks * self.class_attention
        return self.blocks * self.self_attention + class_blocks

    @property
    def ratio(self) -> float:
        """`multiply_adds` divided by those of a single network."""
        single = self.multiply_adds - self.further * (self.passes - 1)
        return self.multiply_adds / single

    @property
    def further(self) -> int:
        """The multiplications that each further pass of class attention adds."""
        return self.class_blocks * self.class_attention

    @property
    def rough_ratio(self) -> float:
        """Bound of Section 2.4: (L + 2 M) / (L + 2), if all blocks cost the same."""
        return self._bound(1.0)

    @property
    def tight_ratio(self) -> float:
        """Bound of Appendix A: (L + 0.5 M) / (L + 0.5), a quarter per class block."""
        return self._bound(0.25)

    def _bound(self, share):
        once = share * self.class_blocks
        return (self.blocks + once * self.passes) / (self.blocks + once)


def appendix_a(model, training: bool = False) -> AppendixA | None:
    """The paper's formulas for a model or backbone, if they apply.

    Args:
        model: Model or backbone.
        training: Boolean, whether to count training. Defaults to `False`.

    Returns:
        `AppendixA`, or `None` if there are no class-attention blocks over patches, or
        an MLP is not four times as wide as a token.
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
