"""Arguments of each public class of `keras_mixvit.masks`, none its default."""

from keras_mixvit import masks

BINARY = {"patch_size": 2, "num_subnetworks": 3, "alpha": 0.5, "mixing": "two"}


ARGUMENTS = {
    "BinaryOrLinear": lambda: {
        "binary": masks.CutMixMasks(),
        "linear": masks.LinearMasks(alpha=1.0),
        "probability": 0.25,
    },
    "ConcatenationMasks": lambda: {**BINARY, "direction": "vertical"},
    "CowMasks": lambda: {"patch_size": 2},
    "CutMixMasks": lambda: dict(BINARY),
    "FMixMasks": lambda: {**BINARY, "decay": 2.0},
    "LinearMasks": lambda: {"patch_size": 2, "num_subnetworks": 3, "alpha": 0.5},
    "PatchUpMasks": lambda: dict(BINARY),
    "ConstantMasks": lambda: {"patch_size": 2, "num_subnetworks": 3},
    "PatchCutMix": lambda: {
        "patch_size": 2,
        "num_subnetworks": 3,
        "alpha": 2.0,
        "binarize": False,
        "owner_per": "sample",
        "single_source_ramp": False,
    },
}
