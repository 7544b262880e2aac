"""Writes what the ViT of keras-hub computes for tiny models.

    pip install torch && pip install --no-deps keras-hub==0.32.0 tokenizers kagglehub
    KERAS_BACKEND=torch python -m tests.convert.make_keras_hub_outputs

For every case: the configs, the paths and shapes of the weights, features and logits.
It computes in float64. Weights and images are not stored: they are drawn from seeds.
"""

import json

import numpy as np

from tests.convert.keras_hub_cases import CASES, NUM_CLASSES, PATH, drawn, images

# What a converter reads.
OPTIONS = (
    *("image_shape", "patch_size", "num_layers", "num_heads", "hidden_dim", "mlp_dim"),
    *("dropout_rate", "attention_dropout", "layer_norm_epsilon", "use_mha_bias"),
    *("use_mlp_bias", "use_class_token", "use_patch_bias"),
)
HEAD_OPTIONS = ("num_classes", "pooling", "activation", "dropout", "intermediate_dim")


def hub_model(name, dtype="float64"):
    """The classifier of keras-hub of a case, with the drawn weights."""
    import keras_hub

    options, head = CASES[name]
    backbone = keras_hub.models.ViTBackbone(**options, dtype=dtype)
    model = keras_hub.models.ViTImageClassifier(backbone, NUM_CLASSES, **head)
    for weight in model.weights:
        weight.assign(drawn(weight.path, tuple(weight.shape)))
    return model


def outputs(name):
    """What is stored of a case."""
    model = hub_model(name)
    tokens = np.asarray(model.backbone.predict(images(name), verbose=0))
    has_token = CASES[name][0].get("use_class_token", True)
    configs = model.backbone.get_config(), model.get_config()
    facts = {
        "backbone": {key: configs[0][key] for key in OPTIONS},
        "classifier": {key: configs[1][key] for key in HEAD_OPTIONS},
        "shapes": {weight.path: tuple(weight.shape) for weight in model.weights},
    }
    return {
        "facts": np.array(json.dumps(facts)),
        "features": tokens[:, 0] if has_token else tokens.mean(1),
        "logits": np.asarray(model.predict(images(name), verbose=0)),
    }


if __name__ == "__main__":
    stored = {
        f"{name}/{key}": array for name in CASES for key, array in outputs(name).items()
    }
    np.savez_compressed(PATH, **stored)
