"""Arguments of each public class of `keras_mixvit.convert`, none its default."""

from pathlib import Path

ARGUMENTS = {
    "Conversion": lambda: {
        "loaded": ("norm.weight",),
        "resized": ("pos_embed",),
        "unused": ("head.bias",),
        "untouched": ("heads/bias",),
    },
    "Preset": lambda: {
        "model": {"class_name": "SingleNetwork"},
        "path": Path("model.safetensors"),
        "class_names": ("cat", "dog"),
        "preprocessing": {"image_shape": [8, 8, 1]},
        "license": "mit",
    },
    "Pretrained": lambda: {
        "backbone": 1,
        "path": Path("model.safetensors"),
        "num_classes": 7,
        "source_grid": (2, 3),
    },
}
