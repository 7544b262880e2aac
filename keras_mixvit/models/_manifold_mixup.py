from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.masks import ConstantMasks
from keras_mixvit.models._backbone_methods import BackboneMethods, image_shape_of
from keras_mixvit.models._graph import Graph
from keras_mixvit.models._mimo_model import MIMOModel
from keras_mixvit.models._single_network import single_inference_network, take_stages


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ManifoldMixUp(BackboneMethods, MIMOModel):
    """A single network that mixes images or hidden features in training, a baseline.

    Each sample of a batch is mixed with another one, at one layer drawn per batch:
    the images, or the output of one of the first groups of blocks. Train it on
    `mixed_pair_dataset(..., manifold_mixing=ManifoldMixing())`. It predicts like
    `SingleNetwork`.

    Args:
        backbone: `Backbone` whose layers the model takes over.
        num_classes: Integer, the number K of classes.
        num_layers: Integer of at least 2, the number of layers at which samples may be
            mixed; must equal that of the `ManifoldMixing`. Defaults to `3`.
        temperature: Positive float, by which `predict(x, calibrated=True)`
            divides logits. Defaults to `1.0`.
        name: String, the name of the model. Defaults to `"manifold_mixup"`.
        dtype: Dtype or dtype policy, or `None` for the backbone's. Defaults
            to `None`.

    Input shape:
        `(B, H, W, C)`, or `{"images": (B, 1, H, W, C), "masks": (B, 1, h, w),
        "partners": (B,), "shares": (B, num_layers)}`.

    Output shape:
        `(B, K)`, logits; `(B, 1, K)` for mixed samples.

    Raises:
        ValueError: If an argument is out of its range, or the backbone has too few
            groups.

    Example:

    ```python
    backbone = WideResNet((8, 8, 1), depth=10, widening=1)
    model = ManifoldMixUp(backbone, num_classes=10)
    assert model(np.zeros((2, 8, 8, 1))).shape == (2, 10)
    ```

    References:
        MixMo, Table 1; Manifold Mixup (Verma et al., 2019).
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        num_layers: int = 3,
        temperature: float = 1.0,
        name: str = "manifold_mixup",
        dtype: Any = None,
    ):
        require_positive_integer("num_layers", num_layers, minimum=2)
        super().__init__(
            image_shape_of(backbone),
            num_classes,
            num_subnetworks=1,
            temperature=temperature,
            name=name,
            dtype=dtype,
            backbone=backbone,
        )
        take_stages(self, backbone)
        self.num_layers = num_layers
        self._connect(self._training_network(), self._inference_network())

    def mask_sampler(self) -> ConstantMasks:
        """The mask sampler for `mixed_pair_dataset`; its masks mix no images.

        Returns:
            A `ConstantMasks`.
        """
        return ConstantMasks(self.backbone.patch_size, num_subnetworks=1)

    @property
    def num_mixed_layers(self) -> int:
        """The number of layers at which mixed pairs mix samples."""
        return self.num_layers

    @property
    def learns_from_images(self) -> bool:
        """False: without partners, there is nothing to mix."""
        return False

    def _inference_network(self, maps=None):
        return single_inference_network(self, maps)

    def _training_network(self):
        images = keras.Input((1, *self.image_shape), name="images")
        masks = keras.Input((1, *self.backbone.grid_shape), name="masks")
        partners = keras.Input((), name="partners", dtype="int32")
        shares = keras.Input((self.num_layers,), name="shares")
        mixed_at = []

        def mixed(index, features):
            layer = index + 1
            if layer >= self.num_layers:
                return features
            mixed_at.append(layer)
            shape = (-1, *[1] * (len(features.shape) - 1))
            share = ops.cast(ops.reshape(shares[:, layer], shape), features.dtype)
            others = ops.take(features, partners, axis=0)
            return share * features + (1 - share) * others

        grid = self.stem(mixed(-1, images[:, 0]))
        grid = self.backbone.apply_position(grid)
        grid = self.backbone.apply_blocks(grid, between=mixed)
        require(
            len(mixed_at) == self.num_layers,
            f"`num_layers` must not exceed {len(mixed_at)}, which is 1 plus the number "
            "of groups of the backbone.",
            num_layers=self.num_layers,
            groups=len(mixed_at) - 1,
        )
        logits = self.heads(self.trunk(grid))
        inputs = {
            "images": images,
            "masks": masks,
            "partners": partners,
            "shares": shares,
        }
        return Graph(inputs, logits, name="training")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_layers": self.num_layers}
