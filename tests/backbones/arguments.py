"""Arguments of each public class of `keras_mixvit.backbones`, none its default."""

import keras

BACKBONE = {
    "image_shape": (4, 6, 2),
    "patch_size": 2,
    "width": 8,
    "num_heads": 2,
    "num_blocks": 1,
    "num_class_blocks": 1,
    "mlp_ratio": 2.0,
    "layer_scale": 0.1,
    "epsilon": 1e-3,
    "dropout_rate": 0.1,
    "attention_dropout_rate": 0.2,
    "stochastic_depth_rate": 0.3,
    "mean": (0.1, 0.2),
    "std": 0.5,
    "seed": 3,
    "recompute": True,
    "name": "given",
    "dtype": "mixed_bfloat16",
}


RESIDUAL = {
    "image_shape": (8, 6, 2),
    "widening": 2,
    "l2": 0.01,
    "mean": (0.1, 0.2),
    "std": 0.5,
    "recompute": True,
    "name": "given",
    "dtype": "mixed_bfloat16",
}


def keras_model():
    """A functional model with a skip connection and batch norm."""
    images = keras.Input((None, None, 2), name="pixels")
    first = keras.layers.Conv2D(4, 3, 2, padding="same", name="first")(images)
    grid = keras.layers.BatchNormalization(name="norm")(first)
    branch = keras.layers.Conv2D(4, 3, padding="same", name="branch")(grid)
    grid = keras.layers.Add(name="added")([grid, branch])
    grid = keras.layers.Conv2D(6, 3, 2, padding="same", name="last")(grid)
    return keras.Model(images, grid, name="mine")


ARGUMENTS = {
    "CaiT": lambda: {**BACKBONE, "qkv_bias": False},
    "ConViT": lambda: {
        **BACKBONE,
        "trunk_attention": "self_attention",
        "qkv_bias": True,
        "locality_strength": 0.5,
    },
    "KerasBackbone": lambda: {
        "model": keras_model(),
        "grid": "norm",
        "features": "added",
        "image_shape": (8, 6, 2),
        "mean": (0.1, 0.2),
        "std": 0.5,
        "name": "given",
        "dtype": "mixed_bfloat16",
    },
    "PreActResNet": lambda: dict(RESIDUAL),
    "ResNet": lambda: dict(RESIDUAL),
    "ViT": lambda: {
        **BACKBONE,
        "pooling": "average",
        "class_token": False,
        "num_registers": 2,
        "prefix_positions": False,
        "norm_after_pooling": False,
        "mlp_activation": "swiglu",
        "qkv_bias": False,
        "stochastic_depth_rises": False,
        "pre_norm": True,
    },
    "WideResNet": lambda: {**RESIDUAL, "depth": 10, "strided_conv": "first"},
}
