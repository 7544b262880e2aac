from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mixvit._checks import (
    is_integer,
    require,
    require_choice,
    require_positive_integer,
)
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._features import grid_of, prefix_of, with_prefix
from keras_mixvit.layers import (
    BinarizedPatchCutMix,
    SourceEmbedding,
    SourceEncoding,
)
from keras_mixvit.masks import ConstantMasks, MaskSampler, PatchCutMix
from keras_mixvit.models._all_tokens import all_tokens_logits
from keras_mixvit.models._axes import copied, folded, repeated, unfolded
from keras_mixvit.models._backbone_methods import (
    BackboneMethods,
    image_shape_of,
    keeps_grid,
)
from keras_mixvit.models._graph import Graph
from keras_mixvit.models._mimo_model import MIMOModel
from keras_mixvit.models._mixvit_schemes import (
    SCHEMES,
    alternating_masks,
    require_inference,
)

ATTRIBUTIONS = {"embedding": SourceEmbedding, "encoding": SourceEncoding}
MIXINGS = ("binarized_cutmix", "averaged_masks", "all_tokens")


@keras.saving.register_keras_serializable(package="keras_mixvit")
class MixViT(BackboneMethods, MIMOModel):
    """A vision transformer of M subnetworks that split in its last layers.

    In training, M images are mixed patch by patch into one. Stem and body run once,
    source attribution marks which token came from which image, and after the trunk M
    heads predict M labels. In inference, stem and body run once, and the trunk runs
    once per source.

    Args:
        backbone: `Backbone` whose layers the model uses.
        num_classes: Integer, the number K of classes.
        num_subnetworks: Integer of at least 2, the number M of subnetworks.
            Defaults to `2`.
        source_attribution: `"embedding"` (Eq. 3), `"encoding"` (Eq. 2), or `None`: then
            only the heads of the subnetworks differ. Defaults to `"embedding"`.
        attribution_position: `"late"`, after the body, or `"early"`, between the
            position and the first block. Defaults to `"late"`.
        input_mixing: `"binarized_cutmix"`, `"averaged_masks"` (patches on the border of
            the box blend two images), or `"all_tokens"` (the grids of the M images are
            stacked, not mixed). Defaults to `"binarized_cutmix"`.
        inference: `"parallel"`, one pass per source after attribution;
            `"sum"`, one pass over the sum of the M attributed versions of
            each token; `"alternating"`, one pass in which each position has one
            source, by a fixed pattern; or an integer, the only subnetwork to
            use. Defaults to `"parallel"`.
        alternation: The pattern of alternating inference: `"random"`, drawn from
            `seed`, or `"checkerboard"`. Defaults to `"random"`.
        ensemble_of: `"logits"` or `"probabilities"`, what the ensemble
            averages; its output is always logits. Defaults to `"logits"`.
        temperature: Positive float, by which `predict(x, calibrated=True)`
            divides logits. Defaults to `1.0`.
        seed: Non-negative integer seed of the alternating pattern. Defaults
            to `0`.
        name: String, the name of the model. Defaults to `"mixvit"`.
        dtype: Dtype or dtype policy, or `None` for the backbone's. Defaults
            to `None`.

    Call arguments:
        inputs: Images `(B, H, W, C)`, or a mixed pair `{"images": (B, M, H,
            W, C), "masks": (B, M, h, w)}`.
        training: Boolean, whether to apply dropout and stochastic depth.

    Input shape:
        `(B, H, W, C)`, or a mixed pair.

    Output shape:
        `(B, K)` for images, logits of the ensemble; `(B, M, K)` for a mixed
        pair.

    Raises:
        ValueError: If an argument is out of its range, or `inference` does not fit the
            other arguments.

    Example:

    ```python
    backbone = ConViT((16, 16, 1), width=24, num_heads=4, num_blocks=1)
    model = MixViT(backbone, num_classes=10)
    assert model(np.zeros((2, 16, 16, 1))).shape == (2, 10)
    ```

    References:
        MixViT, Sections 2.1 to 2.3, Algorithms 1 and 2, Appendix D.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        num_subnetworks: int = 2,
        source_attribution: str | None = "embedding",
        attribution_position: str = "late",
        input_mixing: str = "binarized_cutmix",
        inference: str | int = "parallel",
        alternation: str = "random",
        ensemble_of: str = "logits",
        temperature: float = 1.0,
        seed: int = 0,
        name: str = "mixvit",
        dtype: Any = None,
    ):
        require_positive_integer("num_subnetworks", num_subnetworks, minimum=2)
        super().__init__(
            image_shape_of(backbone),
            num_classes,
            num_subnetworks,
            ensemble_of,
            temperature,
            name,
            dtype,
            backbone,
        )
        require(
            keeps_grid(backbone),
            "`backbone` must have the same grid before and after its body, as "
            "transformers have. For other backbones, use `MixMo`, `ManifoldMixUp` or "
            "`SingleNetwork`.",
            grid_shape=backbone.grid_shape,
            after_body=grid_of(backbone.body.output).shape[1:3],
        )
        require_choice("source_attribution", source_attribution, (*ATTRIBUTIONS, None))
        require_choice("attribution_position", attribution_position, ("late", "early"))
        require_choice("input_mixing", input_mixing, MIXINGS)
        require_choice("alternation", alternation, ("random", "checkerboard"))
        require_positive_integer("seed", seed, minimum=0)
        require_inference(inference, num_subnetworks, source_attribution, input_mixing)
        self.source_attribution = source_attribution
        self.attribution_position = attribution_position
        self.input_mixing = input_mixing
        self.inference = inference
        self.alternation = alternation
        self.seed = seed
        policy = self.dtype_policy
        self.mixing: Any = None
        self.attribution: Any = None
        if input_mixing != "all_tokens":
            self.mixing = BinarizedPatchCutMix(
                backbone.patch_size,
                binarize=input_mixing == "binarized_cutmix",
                name="mixing",
                dtype=policy,
            )
        self.stem, self.body = backbone.stem, backbone.body
        if source_attribution is not None:
            self.attribution = ATTRIBUTIONS[source_attribution](
                num_subnetworks, name=f"source_{source_attribution}", dtype=policy
            )
        self.trunk = backbone.trunk
        self.heads = self._make_heads(num_subnetworks)
        self._connect(self._training_network(), self._inference_network())

    def mask_sampler(self, alpha: float = 0.5, owner_per: str = "batch") -> MaskSampler:
        """The mask sampler for the model's `input_mixing`.

        Args:
            alpha: Positive float, the parameter of the Beta distribution; not used with
                `"all_tokens"`, whose masks are constant. Defaults to `0.5`.
            owner_per: `"batch"` or `"sample"`: whether the owner of the box is drawn
                once per batch or once per sample. Defaults to `"batch"`.

        Returns:
            A `MaskSampler` for `mixed_pair_dataset`.
        """
        if self.input_mixing == "all_tokens":
            return ConstantMasks(self.backbone.patch_size, self.num_subnetworks)
        return PatchCutMix(
            self.backbone.patch_size,
            self.num_subnetworks,
            alpha,
            binarize=self.input_mixing == "binarized_cutmix",
            owner_per=owner_per,
        )

    @property
    def _new_layers(self):
        sources = [] if self.attribution is None else [self.attribution]
        return [*sources, self.heads]

    def _training_network(self):
        num_subnetworks, grid_shape = self.num_subnetworks, self.backbone.grid_shape
        images = keras.Input((num_subnetworks, *self.image_shape), name="images")
        masks = keras.Input((num_subnetworks, *grid_shape), name="masks")
        if self.input_mixing == "all_tokens":
            logits = all_tokens_logits(self, images)
        else:
            mixed, shares = self.mixing(images, masks)
            features = self._features_before(self.stem(mixed))
            if self.attribution is not None:
                grid = self.attribution(grid_of(features), shares)
                features = with_prefix(grid, prefix_of(features))
            logits = self.heads(self._trunk_after(features))
        return Graph({"images": images, "masks": masks}, logits, name="training")

    @property
    def inference_schemes(self) -> tuple:
        """The values of `inference` that you can use with the trained model."""
        has_all = self.attribution is not None and self.input_mixing != "all_tokens"
        return tuple(dict.fromkeys((self.inference, *SCHEMES[: 3 if has_all else 1])))

    def inference_network_of(self, inference: str | int) -> keras.Model:
        """The `inference_network` for another `inference`, with shared weights.

        Args:
            inference: Value of `inference`, as in the constructor.

        Returns:
            A graph from images to subnetwork logits `(B, M, K)`.

        Raises:
            ValueError: If the model has no such scheme.
        """
        require_inference(
            inference, self.num_subnetworks, self.source_attribution, self.input_mixing
        )
        return self._inference_network(inference=inference)

    def _inference_network(self, maps=None, inference=None):
        images = keras.Input(self.image_shape, name="images")
        scheme = self.inference if inference is None else inference
        subnetwork = scheme if is_integer(scheme) else None
        if self.input_mixing == "all_tokens":
            copies = copied(images, self.num_subnetworks)
            logits = all_tokens_logits(self, copies, maps)
            return Graph(images, logits, name="inference")
        features = self._features_before(self.stem(images), maps)
        # Only patches have a source: prefix tokens stay the same.
        grid, prefix = grid_of(features), prefix_of(features)
        if self.attribution is None:
            features = self._trunk_after(features, maps)
        elif scheme == "sum":
            grid = ops.sum(self.attribution(grid), axis=1)
            features = self._trunk_after(with_prefix(grid, prefix), maps)
        elif scheme == "alternating":
            grid = self.attribution(grid, self.alternating_masks()[None])
            features = self._trunk_after(with_prefix(grid, prefix), maps)
        elif self.attribution_position == "late":
            read = self.backbone.apply_trunk_per_source
            features = read(features, self.attribution, subnetwork, maps)
        else:
            grids = self.attribution(grid, source=subnetwork)
            prefix = repeated(prefix, grids.shape[1])
            features = self._trunk_after(with_prefix(folded(grids), prefix), maps)
            features = unfolded(features, grids.shape[1])
        logits = self.heads(features, subnetwork=subnetwork)
        return Graph(images, logits, name="inference")

    def _features_before(self, grid, maps=None):
        if self.attribution_position == "late":
            return self._run_body(grid, maps)
        return self.backbone.apply_position(grid)

    def _trunk_after(self, features, maps=None):
        if self.attribution_position == "early":
            features = self.backbone.apply_blocks(features, maps)
        return self._run_trunk(features, maps)

    def alternating_masks(self) -> np.ndarray:
        """The one-hot pattern `(M, h, w)` of alternating inference, in float32."""
        return alternating_masks(
            self.backbone.grid_shape, self.num_subnetworks, self.alternation, self.seed
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_subnetworks": self.num_subnetworks,
            "source_attribution": self.source_attribution,
            "attribution_position": self.attribution_position,
            "input_mixing": self.input_mixing,
            "inference": self.inference,
            "alternation": self.alternation,
            "ensemble_of": self.ensemble_of,
            "seed": self.seed,
        }
