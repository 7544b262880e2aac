"""Writes the model files that every backend must read.

    KERAS_BACKEND=jax python -m tests.saved.make_saved_models

Each backend trains the same tiny MixViT for two steps of AdamW and saves it
with its optimizer, its predictions, and the loss of the step after that. JAX also saves
the `VARIANTS`, which are not trained.
"""

from pathlib import Path

import keras
import numpy as np

from keras_mixvit import MixMo, MixViT, WideResNet, mixed_pair_dataset
from keras_mixvit.metrics import NLL, SubnetworkAccuracy
from tests.helpers import LOSS, images, set_weights, tiny_convit, tiny_vit

HERE = Path(__file__).parent
VARIANTS = {
    "dinov2": lambda: MixViT(
        tiny_vit(mlp_activation="swiglu", layer_scale=0.1, prefix_positions=False), 5
    ),
    "distilled": lambda: MixViT(tiny_vit(pooling="distilled", num_registers=0), 5),
    "clip": lambda: MixViT(tiny_vit(mlp_activation="quick_gelu", pre_norm=True), 5),
    "mixmo": lambda: MixMo(WideResNet((8, 12, 3), 10, 1), 5),
}


def batches(model):
    """Four batches of mixed pairs."""
    x, y = images(32), np.arange(32) % 5
    return mixed_pair_dataset(x, y, model.mask_sampler(), epochs=1, batch_size=8)


def predictions(model):
    """Predictions for eight images."""
    return keras.ops.convert_to_numpy(model(images(8, seed=9)))


def two_more_losses(model):
    """Losses of the third and fourth step: the last shows the optimizer."""
    pairs = batches(model)
    return [
        float(model.train_on_batch(*pairs[i], return_dict=True)["loss"]) for i in (2, 3)
    ]


def save_variants():
    """Saves the variants, and what they predict."""
    expected = {}
    for name, build in VARIANTS.items():
        model = build()
        set_weights(model)
        model.save(HERE / f"variant_{name}.keras")
        expected[name] = predictions(model)
    np.savez(HERE / "variants.npz", **expected)


if __name__ == "__main__":
    if keras.config.backend() == "jax":
        save_variants()
    model = MixViT(tiny_convit(mean=0.5, std=0.25), 5)
    set_weights(model)
    model.compile(
        keras.optimizers.AdamW(1e-2),
        LOSS,
        metrics=[SubnetworkAccuracy()],
        weighted_metrics=["accuracy", NLL()],
    )
    pairs = batches(model)
    for i in range(2):
        model.train_on_batch(*pairs[i])
    path = HERE / f"{keras.config.backend()}.keras"
    model.save(path)
    expected = predictions(model)
    model.reset_metrics()
    np.savez(
        path.with_suffix(".npz"), predictions=expected, losses=two_more_losses(model)
    )
