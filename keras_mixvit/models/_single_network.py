from typing import Any

import keras

from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.masks import ConstantMasks
from keras_mixvit.models._backbone_methods import BackboneMethods, image_shape_of
from keras_mixvit.models._graph import Graph
from keras_mixvit.models._mimo_model import MIMOModel


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SingleNetwork(BackboneMethods, MIMOModel):
    """A classifier with one input and one output, the papers' baseline.

    It is a MIMO model with one subnetwork. It learns from images, or from the single
    images that `mixed_pair_dataset` yields with `mask_sampler()`.

    Args:
        backbone: `Backbone` whose layers the model uses.
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
        `(B, K)`, logits; `(B, 1, K)` for mixed pairs with M = 1.

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
        dtype: Any = None,
    ):
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
        inference = self._inference_network()
        images = keras.Input((1, *self.image_shape), name="images")
        masks = keras.Input((1, *backbone.grid_shape), name="masks")
        inputs = {"images": images, "masks": masks}
        training = Graph(inputs, inference(images[:, 0]), name="training")
        self._connect(training, inference)

    def _inference_network(self, maps=None):
        return single_inference_network(self, maps)

    def mask_sampler(self) -> ConstantMasks:
        """The mask sampler for `mixed_pair_dataset`; it mixes no images."""
        return ConstantMasks(self.backbone.patch_size, num_subnetworks=1)


def take_stages(model: BackboneMethods, backbone: Backbone) -> None:
    """Gives a model the stages of a backbone and one head."""
    model.stem, model.body = backbone.stem, backbone.body
    model.trunk = backbone.trunk
    model.heads = model._make_heads(1)


def single_inference_network(
    model: BackboneMethods, maps: dict[str, Any] | None
) -> Graph:
    """The graph of a model with one stem, one trunk and one head."""
    images = keras.Input(model.image_shape, name="images")
    features = model._run_trunk(model._run_body(model.stem(images), maps), maps)
    return Graph(images, model.heads(features), name="inference")
