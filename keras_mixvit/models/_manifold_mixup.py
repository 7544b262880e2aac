import keras
from keras import ops

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.models._graph import Graph
from keras_mixvit.models._single_network import SingleNetwork


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ManifoldMixUp(SingleNetwork):
    """A single network whose images or hidden features are mixed in training.

    The samples of a batch are mixed with others of it, at one place drawn per
    batch: the images, or the output of one of the first groups of blocks. It
    learns from `mixed_pair_dataset(..., manifold_mixing=ManifoldMixing())`;
    inference is that of `SingleNetwork`.

    Args:
        backbone: `Backbone` whose layers the model takes over.
        num_classes: Integer, the number K of classes.
        places: Integer of at least 2, the number of places, that of the
            `ManifoldMixing`. Defaults to `3`.
        temperature: Positive float, by which `predict(x, calibrated=True)`
            divides logits. Defaults to `1.0`.
        name: String, the name of the model. Defaults to `"manifold_mixup"`.
        dtype: Dtype or dtype policy, or `None` for the backbone's. Defaults
            to `None`.

    Input shape:
        `(B, H, W, C)`, or `{"images": (B, 1, H, W, C), "masks": (B, 1, h, w),
        "partners": (B,), "shares": (B, places)}`.

    Output shape:
        `(B, K)`, logits; `(B, 1, K)` for mixed samples.

    Raises:
        ValueError: If an argument is out of its range, or the backbone has
            fewer groups.

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
        places: int = 3,
        temperature: float = 1.0,
        name: str = "manifold_mixup",
        dtype=None,
    ):
        require_positive_integer("places", places, minimum=2)
        super().__init__(backbone, num_classes, temperature, name=name, dtype=dtype)
        self.places = places
        self._connect(self._training_network(), self.inference_network)

    @property
    def learns_from_images(self) -> bool:
        """False: without partners nothing would be mixed."""
        return False

    def _training_network(self):
        images = keras.Input((1, *self.image_shape), name="images")
        masks = keras.Input((1, *self.backbone.grid_shape), name="masks")
        partners = keras.Input((), name="partners", dtype="int32")
        shares = keras.Input((self.places,), name="shares")
        mixed_at = []

        def mixed(index, features):
            place = index + 1
            if place >= self.places:
                return features
            mixed_at.append(place)
            shape = (-1, *[1] * (len(features.shape) - 1))
            share = ops.cast(ops.reshape(shares[:, place], shape), features.dtype)
            others = ops.take(features, partners, axis=0)
            return share * features + (1 - share) * others

        grid = self.stem(mixed(-1, images[:, 0]))
        grid = self.backbone.apply_position(grid)
        grid = self.backbone.apply_blocks(grid, between=mixed)
        require(
            len(mixed_at) == self.places,
            "`places` must not exceed 1 plus the number of groups of the backbone.",
            places=self.places,
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

    def get_config(self):
        return {**super().get_config(), "places": self.places}
