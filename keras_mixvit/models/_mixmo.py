from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import (
    is_integer,
    is_number,
    require,
    require_choice,
    require_positive_integer,
)
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.masks import (
    BinaryOrLinear,
    ConstantMasks,
    CutMixMasks,
    LinearMasks,
    MaskSampler,
    PatchCutMix,
    loss_weighting,
)
from keras_mixvit.models._axes import folded, unfolded
from keras_mixvit.models._backbone_methods import (
    BackboneMethods,
    image_shape_of,
    keeps_grid,
)
from keras_mixvit.models._graph import Graph
from keras_mixvit.models._mimo_model import MIMOModel

METHODS = ("mimo", "linear_mixmo", "cut_mixmo")


@keras.saving.register_keras_serializable(package="keras_mixvit")
class MixMo(BackboneMethods, MIMOModel):
    """A classifier that mixes M inputs in feature space and makes M predictions.

    In training, M stems encode the M inputs of a sample, masks mix the M grids into
    one (times M), and body, trunk and M heads follow. In inference, an image goes
    through all stems, and the model sums their outputs. MIMO, Linear-MixMo and
    Cut-MixMo are this network with different masks (`mask_sampler`); MIMO has `r=1`.

    Args:
        backbone: `Backbone` whose layers the model uses; it makes further stems like
            the first.
        num_classes: Integer, the number K of classes.
        num_subnetworks: Integer of at least 2, the number M of subnetworks.
            Defaults to `2`.
        r: Positive float or infinity. With a larger value, the weights of the M losses
            are more alike: $w_m \\propto \\kappa_m^{1/r}$ (Eq. 5). Defaults to `3.0`.
        inference: `"sum"`, one pass over the sum of the stems; `"parallel"`,
            one pass per subnetwork, which sees M times its own stem; or an
            integer, the only subnetwork to use. Defaults to `"sum"`.
        num_stems: Integer, M or 1; with 1, all inputs share one stem. `None` for M.
            Defaults to `None`.
        num_classifiers: Integer, M or 1; with 1, one classifier predicts all labels in
            proportion to the masks, and `r` has no effect. `None` for M. Defaults to
            `None`.
        ensemble_of: `"logits"` or `"probabilities"`, what the ensemble averages; its
            output is always logits. Defaults to `"logits"`.
        temperature: Positive float, by which `predict(x, calibrated=True)` divides
            logits. Defaults to `1.0`.
        name: String, the name of the model. Defaults to `"mixmo"`.
        dtype: Dtype or dtype policy, or `None` for the backbone's. Defaults to `None`.
        mixing_scale: Positive float, the factor of the mixed grid, or `None` for M, as
            in the paper. Set it to 1 for a pretrained backbone, so its body gets values
            of the usual size. Defaults to `None`.

    Call arguments:
        inputs: Images `(B, H, W, C)`, or a mixed pair `{"images": (B, M, H,
            W, C), "masks": (B, M, h, w)}`.
        training: Boolean, whether layers run in training mode.

    Input shape:
        `(B, H, W, C)`, or a mixed pair.

    Output shape:
        `(B, K)` for images, logits of the ensemble; `(B, M, K)` for a mixed pair, M
        equal rows with one classifier.

    Raises:
        ValueError: If an argument is out of its range, or `inference` does not fit the
            other arguments.

    Example:

    ```python
    model = MixMo(WideResNet((8, 8, 1), depth=10, widening=1), num_classes=10)
    assert model(np.zeros((2, 8, 8, 1))).shape == (2, 10)
    ```

    References:
        MixMo, Section 3, Eq. 3 to 7, Table 3 and Algorithm 1; MixViT,
        Section 4.4 and Appendix C.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        num_subnetworks: int = 2,
        r: float = 3.0,
        inference: str | int = "sum",
        num_stems: int | None = None,
        num_classifiers: int | None = None,
        ensemble_of: str = "logits",
        temperature: float = 1.0,
        name: str = "mixmo",
        dtype: Any = None,
        mixing_scale: float | None = None,
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
        require(is_number(r) and r > 0, "`r` must be positive.", r=r)
        require_choice("num_stems", num_stems, (1, num_subnetworks, None))
        require_choice("num_classifiers", num_classifiers, (1, num_subnetworks, None))
        require_inference(inference, num_subnetworks, num_classifiers)
        require(
            mixing_scale is None
            or (is_number(mixing_scale) and 0 < mixing_scale < float("inf")),
            "`mixing_scale` must be a positive finite number, or None.",
            mixing_scale=mixing_scale,
        )
        self.mixing_scale = mixing_scale
        self.r = float(r)
        self.inference = inference
        self.num_stems = num_stems
        self.num_classifiers = num_classifiers
        names = [f"stem_{m}" for m in range(1, num_stems or num_subnetworks)]
        self.stems = [backbone.stem, *map(backbone.make_stem, names)]
        self.body, self.trunk = backbone.body, backbone.trunk
        self.heads = self._make_heads(num_classifiers or num_subnetworks)
        self._connect(self._training_network(), self._inference_network())

    def mask_sampler(
        self,
        method: str = "cut_mixmo",
        alpha: float = 2.0,
        probability: float = 0.5,
        mixing: str = "dirichlet",
    ) -> MaskSampler:
        """The mask sampler of a method, for the model's mixing grid.

        Args:
            method: `"mimo"`, constant masks; `"linear_mixmo"`, ratios; or
                `"cut_mixmo"`, boxes in some batches, which on transformers cover whole
                patches as in MixViT. Defaults to `"cut_mixmo"`.
            alpha: Positive float, the concentration of the ratios; MIMO does not use
                it. Defaults to `2.0`.
            probability: Float in [0, 1], the share of batches of Cut-MixMo with boxes.
                Defaults to `0.5`.
            mixing: `"dirichlet"` or `"two"`, which inputs the boxes mix if there are
                more than two; in whole patches always two. Defaults to `"dirichlet"`.

        Returns:
            A `MaskSampler` for `mixed_pair_dataset`. You can use other samplers with
            `patch_size=backbone.patch_size`.

        Raises:
            ValueError: If an argument is out of its range.
        """
        require_choice("method", method, METHODS)
        size, num_subnetworks = self.backbone.patch_size, self.num_subnetworks
        if method == "mimo":
            return ConstantMasks(size, num_subnetworks)
        linear = LinearMasks(size, num_subnetworks, alpha)
        if method == "linear_mixmo":
            return linear
        binary: MaskSampler
        if keeps_grid(self.backbone):
            binary = PatchCutMix(size, num_subnetworks, alpha, single_source_ramp=False)
        else:
            binary = CutMixMasks(size, num_subnetworks, alpha, mixing)
        return BinaryOrLinear(binary, linear, probability)

    def loss_weights(self, ratios: Any) -> Any:
        """Weights `(B, M)` of the losses, from the shares of the inputs in the masks.

        Keras averages over B and M, but the paper sums over M, hence a factor M. One
        classifier interpolates the labels instead: the weights are the shares.

        Args:
            ratios: Tensor `(B, M)`, the mean of each input's mask.

        Returns:
            Tensor `(B, M)`, which sums to M² over the subnetworks, or to M with one
            classifier.

        References:
            MixMo, Eq. 3 and 5, Table 3.
        """
        if self.num_classifiers == 1:
            return super().loss_weights(ratios)
        return ratios.shape[1] * loss_weighting(ratios, self.r, ops)

    @property
    def _further_stems(self):
        return self.stems[1:]

    def _stem(self, index):
        return self.stems[index if len(self.stems) > 1 else 0]

    @property
    def _scale(self):
        return self.mixing_scale or self.num_subnetworks

    def _training_network(self):
        num_subnetworks = self.num_subnetworks
        images = keras.Input((num_subnetworks, *self.image_shape), name="images")
        grid_shape = self.stems[0].output.shape[1:3]
        masks = keras.Input((num_subnetworks, *grid_shape), name="masks")
        shares = ops.cast(masks, self.compute_dtype)
        mixed = sum(
            shares[:, m, ..., None] * self._stem(m)(images[:, m])
            for m in range(num_subnetworks)
        )
        logits = self.heads(self._run_trunk(self._run_body(self._scale * mixed)))
        if self.num_classifiers == 1:
            logits = ops.repeat(logits, num_subnetworks, axis=1)
        return Graph({"images": images, "masks": masks}, logits, name="training")

    @property
    def inference_schemes(self) -> tuple:
        """The values of `inference` that you can use with the trained model."""
        others = ("sum",) if self.num_classifiers == 1 else ("sum", "parallel")
        return tuple(dict.fromkeys((self.inference, *others)))

    def inference_network_of(self, inference: str | int) -> keras.Model:
        """The `inference_network` for another `inference`, with shared weights.

        Args:
            inference: Value of `inference`, as in the constructor.

        Returns:
            A graph from images to subnetwork logits `(B, M, K)`.

        Raises:
            ValueError: If the model has no such scheme.
        """
        require_inference(inference, self.num_subnetworks, self.num_classifiers)
        return self._inference_network(inference=inference)

    def _inference_network(self, maps=None, inference=None):
        images = keras.Input(self.image_shape, name="images")
        num_subnetworks = self.num_subnetworks
        scheme = self.inference if inference is None else inference
        if scheme == "sum":
            grid = sum(self._stem(m)(images) for m in range(num_subnetworks))
            if self._scale != num_subnetworks:
                grid = self._scale / num_subnetworks * grid
            features = self._run_trunk(self._run_body(grid, maps), maps)
            logits = self.heads(features)
        else:
            chosen = [scheme] if is_integer(scheme) else range(num_subnetworks)
            grids = [self._scale * self._stem(m)(images) for m in chosen]
            grid = folded(ops.stack(grids, axis=1))
            features = self._run_trunk(self._run_body(grid, maps), maps)
            subnetwork = scheme if is_integer(scheme) else None
            logits = self.heads(unfolded(features, len(grids)), subnetwork=subnetwork)
        return Graph(images, logits, name="inference")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_subnetworks": self.num_subnetworks,
            "r": self.r,
            "inference": self.inference,
            "num_stems": self.num_stems,
            "num_classifiers": self.num_classifiers,
            "mixing_scale": self.mixing_scale,
            "ensemble_of": self.ensemble_of,
        }


def require_inference(
    inference: Any, num_subnetworks: int, num_classifiers: Any
) -> None:
    """Requires a value of `inference` that fits the other arguments."""
    is_index = is_integer(inference) and 0 <= inference < num_subnetworks
    require(
        is_index or inference in ("sum", "parallel"),
        "`inference` must be 'sum', 'parallel' or the index of a subnetwork, 0 to "
        f"{num_subnetworks - 1}.",
        inference=inference,
    )
    require(
        inference == "sum" or num_classifiers != 1,
        "`inference` must be 'sum' with one classifier.",
        inference=inference,
    )
