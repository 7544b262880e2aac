"""Arguments of each public class of `keras_mixvit.layers`, none its default."""

import keras

from keras_mixvit import layers

ATTENTION = {
    "num_heads": 2,
    "qkv_bias": False,
    "dropout_rate": 0.1,
    "attention_dropout_rate": 0.2,
    "seed": 3,
}


BLOCK = {
    "mlp_ratio": 2.0,
    "layer_scale": 0.1,
    "epsilon": 1e-3,
    "dropout_rate": 0.1,
    "stochastic_depth_rate": 0.2,
    "seed": 3,
    "recompute": True,
    "mlp_activation": "swiglu",
}


ARGUMENTS = {
    "MLP": lambda: {
        "hidden_width": 8,
        "dropout_rate": 0.1,
        "seed": 3,
        "activation": "swiglu",
    },
    "BasicBlock": lambda: {
        "filters": 4,
        "stride": 2,
        "l2": 0.01,
        "recompute": True,
    },
    "BinarizedPatchCutMix": lambda: {
        "patch_size": 2,
        "binarize": False,
    },
    "RandomPatchCutMix": lambda: {
        "patch_size": 2,
        "alpha": 2.0,
        "binarize": False,
        "seed": 3,
    },
    "ClassAttention": lambda: dict(ATTENTION),
    "ClassAttentionBlock": lambda: {
        "attention": layers.ClassAttention(2, seed=4, name="inner"),
        **BLOCK,
    },
    "ClassToken": lambda: {},
    "Dropout": lambda: {"rate": 0.1, "noise_shape": (None, 1), "seed": 3},
    "GatedPositionalAttention": lambda: {
        **ATTENTION,
        "qkv_bias": True,
        "locality_strength": 0.5,
        "grid_shape": (2, 3),
    },
    "LayerScale": lambda: {"initial_value": 0.5},
    "PatchEmbedding": lambda: {"width": 8, "patch_size": 2, "use_bias": False},
    "PositionEmbedding": lambda: {"dropout_rate": 0.1, "seed": 3},
    "PreActivationBlock": lambda: {
        "filters": 4,
        "stride": 2,
        "kind": "preact",
        "strided_conv": "second",
        "l2": 0.01,
        "recompute": True,
    },
    "PrefixTokens": lambda: {
        "class_token": False,
        "num_registers": 3,
        "has_positions": False,
        "dropout_rate": 0.1,
        "seed": 3,
    },
    "ReplicaSeedGenerator": lambda: {"seed": 3, "name": "given"},
    "SelfAttention": lambda: dict(ATTENTION),
    "SourceEmbedding": lambda: {"num_subnetworks": 3},
    "SourceEncoding": lambda: {"num_subnetworks": 3},
    "StochasticDepth": lambda: {"rate": 0.1, "seed": 3},
    "SubnetworkHeads": lambda: {
        "num_classes": 5,
        "num_subnetworks": 3,
        "initializer": keras.initializers.HeNormal(seed=1),
        "l2": 0.01,
    },
    "SynchronizedBatchNormalization": lambda: {},
    "TalkingHeadsAttention": lambda: dict(ATTENTION),
    "TransformerBlock": lambda: {
        "attention": layers.TalkingHeadsAttention(2, seed=4, name="inner"),
        **BLOCK,
    },
}
