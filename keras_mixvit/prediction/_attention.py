"""Where the subnetworks of a model look, as a picture."""

import importlib.util
import io
from typing import Any

import numpy as np

from keras_mixvit.analysis import subnetwork_attention
from keras_mixvit.models import MIMOModel
from keras_mixvit.models._attention_maps import last_block, num_prefix_tokens
from keras_mixvit.models._backbone_methods import BackboneMethods


class Attention:
    """Where the subnetworks of a transformer look.

    Args:
        model: Model with a backbone that has attention.
        block: String, the name of a block.
    """

    def __init__(self, model: Any, block: str):
        self.model, self.block = model, block

    def picture(self, image: np.ndarray) -> bytes:
        """A figure of `subnetwork_attention`, as a PNG file.

        Args:
            image: Array `(H, W, C)`.
        """
        images = image[None]
        maps = self.model.attention_maps(images, [self.block], batch_size=1)
        figure, _ = subnetwork_attention(
            images,
            maps[self.block],
            self.model.backbone.grid_shape,
            num_prefix_tokens=num_prefix_tokens(self.model),
        )
        file = io.BytesIO()
        figure.savefig(file, format="png")
        return file.getvalue()


def attention_of(model: MIMOModel) -> tuple[Attention | None, str]:
    """The attention of the last block, or `None` and a sentence on why there is none.

    Args:
        model: `MIMOModel`.
    """
    if not isinstance(model, BackboneMethods):
        return None, "This model has no attention maps."
    block = last_block(model)
    if block is None:
        return None, "A convolutional network has no attention maps."
    if importlib.util.find_spec("matplotlib") is None:
        return None, 'Attention maps need Matplotlib: pip install "keras_mixvit[demo]".'
    found = Attention(model, block)
    try:
        found.picture(np.zeros(model.image_shape, "uint8"))
    except ValueError:
        # Several grids at once, see `input_mixing="all_tokens"`.
        return None, "The attention of this model is on no single grid of the image."
    return found, ""
