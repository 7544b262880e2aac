"""Arguments of each public class of `keras_mixvit.models`, none its default."""

from keras_mixvit import backbones, models


def backbone():
    return backbones.ConViT((4, 6, 2), 2, 8, 2, 1, 1, dtype="mixed_bfloat16")


ARGUMENTS = {
    "MixMo": lambda: {
        "backbone": backbone(),
        "num_classes": 5,
        "num_subnetworks": 3,
        "r": 2.0,
        "inference": "parallel",
        "num_stems": 1,
        "num_classifiers": 3,
        "mixing_scale": 1.5,
        "ensemble_of": "probabilities",
        "temperature": 1.5,
        "name": "given",
        "dtype": "mixed_bfloat16",
    },
    "MixViT": lambda: {
        "backbone": backbone(),
        "num_classes": 5,
        "num_subnetworks": 3,
        "source_attribution": "encoding",
        "attribution_position": "early",
        "input_mixing": "averaged_masks",
        "inference": "sum",
        "alternation": "checkerboard",
        "ensemble_of": "probabilities",
        "seed": 3,
        "temperature": 1.5,
        "name": "given",
        "dtype": "mixed_bfloat16",
    },
    "Ensemble": lambda: {
        "models": [
            models.SingleNetwork(backbone(), 5),
            models.SingleNetwork(backbone(), 5),
        ],
        "ensemble_of": "probabilities",
        "temperature": 1.5,
        "name": "given",
        "dtype": "float32",
    },
    "ManifoldMixUp": lambda: {
        "backbone": backbone(),
        "num_classes": 5,
        "num_layers": 2,
        "temperature": 1.5,
        "name": "given",
        "dtype": "mixed_bfloat16",
    },
    "SingleNetwork": lambda: {
        "backbone": backbone(),
        "num_classes": 5,
        "temperature": 1.5,
        "name": "given",
        "dtype": "mixed_bfloat16",
    },
}
