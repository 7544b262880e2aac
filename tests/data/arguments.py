"""Arguments of each public class of `keras_mixvit.data`, none its default."""

import functools
import tempfile

import keras
import numpy as np

from keras_mixvit import augmentation, data, masks


@functools.cache
def photos():
    """A folder with an image file."""
    folder = tempfile.mkdtemp()
    keras.utils.save_img(f"{folder}/1.png", np.zeros((4, 4, 3)), scale=False)
    return folder


ARGUMENTS = {
    "ManifoldMixing": lambda: {"num_layers": 2, "alpha": 1.0},
    "PixelMixing": lambda: {
        "kind": "cutmix_and_mixup",
        "probability": 0.25,
        "alpha": 0.5,
        "mixup_alpha": 0.5,
        "partners": "batch",
        "visible_share": False,
    },
    "ImageArray": lambda: {
        "images": np.zeros((2, 4, 4, 1), "uint8"),
        "image_size": (2, 2),
        "resize_share": 0.5,
    },
    "ImageFolder": lambda: {
        "folder": photos(),
        "files": ["1.png"],
        "image_size": (2, 2),
        "channels": 3,
        "resize_share": 0.5,
    },
    "TFDSImages": lambda: {
        "records": [],
        "image_shape": (2, 2, 3),
        "varies": True,
        "resize_share": 0.5,
        "key": "picture",
        "indices": [0],
    },
    "ImageSet": lambda: {
        "mean": (1.0,),
        "std": (2.0,),
        "images": np.zeros((2, 4, 4, 1), "uint8"),
        "labels": np.array([0, 1], "int32"),
        "class_names": ("zero", "one"),
    },
    "Inspection": lambda: {
        "data": "mine",
        "splits": {},
        "shared": [{"split": "train"}],
        "remarks": ["Look."],
    },
    "SplitFacts": lambda: {
        "images": 2,
        "classes": {"cat": 2},
        "height": (4, 5, 6),
        "width": None,
        "colours": {"L": 2},
        "turned": 1,
        "damaged": {"a.png": "this is no image"},
        "ignored": {".txt": 1},
        "repeated": 1,
    },
    "MixedPairDataset": lambda: {
        "x": np.zeros((5, 4, 4, 1), "uint8"),
        "y": np.eye(5, dtype="float32"),
        "masks": masks.ConstantMasks(2, 1),
        "epochs": 3,
        "batch_size": 2,
        "seed": 3,
        "shuffle": False,
        "drop_remainder": False,
        "repetitions": 2,
        "input_repetition": 0.5,
        "input_order": "random",
        "num_classes": 5,
        "augment": augmentation.Augment([augmentation.PadCrop(1)]),
        "pixel_mixing": data.PixelMixing(),
        "manifold_mixing": data.ManifoldMixing(),
        "apply_on": "device",
        "keep_on_device": False,
        "sample_weight": np.arange(5, dtype="float32"),
        "shard_groups": 1,
        "workers": 2,
    },
}
