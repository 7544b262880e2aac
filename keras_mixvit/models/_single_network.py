import keras

from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.masks import ConstantMasks
from keras_mixvit.models._backbone_model import BackboneModel
from keras_mixvit.models._graph import Graph


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SingleNetwork(BackboneModel):
    """The single-input single-output classifier, the papers' baseline.

    It is a MIMO model of one subnetwork: it learns from images, or from the
    pairs of one that `mixed_pair_dataset` makes with `mask_sampler()`.

    Args:
        backbone: `Backbone` whose layers the model takes over.
        num_classes: Integer, the number K of classes.
        temperature: Positive float, by which `predict(x, calibrated=True)`
            divides logits. Defaults to `1.0`.
        name: String, the name of the model. Defaults to `"single_network"`.
        dtype: Dtype or dtype policy, or `None` for the backbone's. Defaults
            to `None`.

    Input shape:
        `(B, H, W, C)`, or `{"images": (B, 1, H, W, C), "masks": (B, 1, h,
        w)}`.

    Output shape:
        `(B, K)`, logits; `(B, 1, K)` for pairs of one.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    backbone = ConViT((16, 16, 1), width=24, num_heads=4, num_blocks=1)
    model = SingleNetwork(backbone, num_classes=10)
    assert model(np.zeros((2, 16, 16, 1))).shape == (2, 10)
    ```

    References:
        MixViT, Section 4 (single-input/output).
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        temperature: float = 1.0,
        name: str = "single_network",
        dtype=None,
    ):
        super().__init__(
            backbone, num_classes, 1, temperature=temperature, name=name, dtype=dtype
        )
        self.stem, self.body, self.trunk = backbone.stem, backbone.body, backbone.trunk
        self.heads = self._make_heads(1)
        inference = self._inference_network()
        images = keras.Input((1, *self.image_shape), name="images")
        masks = keras.Input((1, *backbone.grid_shape), name="masks")
        inputs = {"images": images, "masks": masks}
        training = Graph(inputs, inference(images[:, 0]), name="training")
        self._connect(training, inference)

    def _inference_network(self, maps=None):
        images = keras.Input(self.image_shape, name="images")
        features = self._run_trunk(self._run_body(self.stem(images), maps), maps)
        return Graph(images, self.heads(features), name="inference")

    def mask_sampler(self) -> ConstantMasks:
        """The sampler for `mixed_pair_dataset`: every image stands alone."""
        return ConstantMasks(self.backbone.patch_size, num_subnetworks=1)
