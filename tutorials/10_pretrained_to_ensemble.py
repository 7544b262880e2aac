# %% [markdown]
# # Turn your pretrained network into an ensemble
#
# You have a network that works. This tutorial makes it two subnetworks at the cost of
# one, fine-tunes them, and asks whether that was worth it.
#
# You need to know Keras, and what a subnetwork and a mixed pair are
# ([MixViT in ten minutes](01_mixvit_in_ten_minutes.ipynb)). It takes about two minutes
# on two CPU cores, and needs the extra `hub` (safetensors holds the weights):
#
#     pip install "keras_mixvit[jax,hub,tutorials]"

# %%
# %matplotlib inline
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

from keras_mixvit import (
    ConViT,
    MixMo,
    MixViT,
    SingleNetwork,
    load,
    mixed_pair_dataset,
)
from keras_mixvit.backbones import KerasBackbone
from keras_mixvit.convert import read_preset
from keras_mixvit.data import PixelMixing
from keras_mixvit.metrics import accuracy, calibrated_nll
from keras_mixvit.optimizers import LayerwiseAdamW

work = Path(tempfile.mkdtemp())

# %% [markdown]
# ## The pretrained network
#
# Nothing is downloaded here, so you train the network yourself: a small ConViT that
# knows the digits zero to four. `save_to_preset` writes it into a folder, with its
# weights, the names of its classes and a model card.

# %%
digits, test = load("digits", "train"), load("digits", "test")
mean, std = digits.statistics()
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def of_classes(images, classes):
    """Images of some classes, numbered from 0."""
    kept = np.isin(images.labels, classes)
    return images.images[kept], images.labels[kept] - classes[0]


keras.utils.set_random_seed(0)
backbone = ConViT((8, 8, 1), 2, 48, 4, 2, 2, mean=mean, std=std)
single = SingleNetwork(backbone, num_classes=5)
single.compile(keras.optimizers.AdamW(2e-3), loss, weighted_metrics=["accuracy"])
single.fit(*of_classes(digits, range(5)), batch_size=32, epochs=30, verbose=0)
scores = single.evaluate(*of_classes(test, range(5)), verbose=0, return_dict=True)
print(f"zero to four: test accuracy {scores['accuracy']:.1%}")

folder = work / "zero_to_four"
names = ["zero", "one", "two", "three", "four"]
single.save_to_preset(folder, class_names=names, license="cc-by-4.0")
for path in sorted(folder.iterdir()):
    print(f"{path.name:18} {path.stat().st_size:9,} bytes")
print("classes:", ", ".join(read_preset(folder).class_names))

# %% [markdown]
# The folder is what `model.push_to_hub("owner/name")` uploads, and what
# `from_preset("hf://owner/name")` reads. Networks of timm are read the same way:
# `MixViT.from_preset("timm/vit_small_patch16_224.augreg_in1k", num_classes=5)`.
#
# ## One network becomes two subnetworks
#
# `MixViT.from_preset` copies the body once and the head for each subnetwork. New are
# only the source vectors, which tell the subnetworks apart. They are small at first.

# %%
model = MixViT.from_preset(folder)
pictures, _ = of_classes(test, range(5))
expected = single.predict(pictures, verbose=0)
found = model.inference_network.predict(pictures, verbose=0)
print("parameters:", f"{single.count_params():,} and {model.count_params():,}")
print("logits (B, M, K):", found.shape, "largest", f"{np.abs(expected).max():.1f}")
for m in range(2):
    difference = np.abs(found[:, m] - expected).max()
    same = np.mean(found[:, m].argmax(-1) == expected.argmax(-1))
    print(f"subnetwork {m}: logits differ by {difference:.3f}, {same:.1%} same classes")

# %% [markdown]
# Two subnetworks that give the same answers are no ensemble. Fine-tuning on mixed pairs
# makes them differ.
#
# ## The new task
#
# The digits five to nine, with 20 training images of each.

# %%
SEEDS = range(3)
EPOCHS, BATCH = 60, 25
images, labels = of_classes(digits, range(5, 10))
chosen = np.concatenate([np.flatnonzero(labels == k)[:20] for k in range(5)])
x, y = images[chosen], labels[chosen]
test_images, test_labels = of_classes(test, range(5, 10))
print(len(x), "training images,", len(test_images), "test images")

# %% [markdown]
# ## Fine-tune
#
# Four networks learn the task, each in the same number of steps and with three seeds:
#
# * a single network with CutMix, from new weights and from the preset. CutMix
#   regularises it, as mixing regularises MixViT. The second is **the baseline**: what
#   you would do without this library;
# * MixViT, from new weights and from the preset.
#
# With `num_classes`, a preset gets new heads. Its layers already know digits, so they
# learn more slowly than the heads: `layer_rates(0.75)` multiplies the learning rate by
# 0.75 for each block further from the classes. New weights need a higher rate.


# %%
def new_backbone():
    return ConViT((8, 8, 1), 2, 48, 4, 2, 2, mean=mean, std=std)


def make(cls, is_pretrained):
    if is_pretrained:
        return cls.from_preset(folder, num_classes=5)
    return cls(new_backbone(), num_classes=5)


def compiled(model, is_pretrained):
    steps = EPOCHS * len(x) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        steps - steps // 10,
        warmup_target=1e-3 if is_pretrained else 2e-3,
        warmup_steps=steps // 10,
    )
    rates = model.layer_rates(0.75 if is_pretrained else 1.0)
    optimizer = LayerwiseAdamW(rate, rates=rates, weight_decay=0.05)
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))
    return model


def logits_of(cls, is_pretrained):
    """Logits (n, M, K) of the test images after fine-tuning, for each seed."""
    cutmix = PixelMixing("cutmix") if cls is SingleNetwork else None
    model = compiled(make(cls, is_pretrained), is_pretrained)
    found = []
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        # New weights in the same model, which is compiled only once.
        model.set_weights(make(cls, is_pretrained).get_weights())
        for variable in model.optimizer.variables:
            variable.assign(np.zeros(variable.shape))
        pairs = mixed_pair_dataset(
            x,
            y,
            model.mask_sampler(),
            epochs=EPOCHS,
            batch_size=BATCH,
            num_classes=5,
            pixel_mixing=cutmix,
            seed=seed,
        )
        model.fit(pairs, verbose=0)
        found.append(model.inference_network.predict(test_images, verbose=0))
    return found


# %%
networks = {
    "single + CutMix, new weights": (SingleNetwork, False),
    "single + CutMix, preset": (SingleNetwork, True),
    "MixViT, new weights": (MixViT, False),
    "MixViT, preset": (MixViT, True),
}
logits = {name: logits_of(*options) for name, options in networks.items()}

# %% [markdown]
# ## Was it worth it?

# %%
scores = {
    name: np.array(
        [
            (
                accuracy(one.mean(axis=1), test_labels),
                np.mean(
                    [accuracy(one[:, m], test_labels) for m in range(one.shape[1])]
                ),
                calibrated_nll(one.mean(axis=1), test_labels),
            )
            for one in found
        ]
    )
    for name, found in logits.items()
}
print(f"{'3 seeds':30} {'accuracy %':>14} {'of a subnetwork':>16} {'NLL_c':>15}")
for name, rows in scores.items():
    (right, alone, nll), (spread, _, nll_spread) = rows.mean(0), rows.std(0, ddof=1)
    print(f"{name:30} {100 * right:7.1f} ± {100 * spread:4.1f}", end=" ")
    print(f"{100 * alone:16.1f} {nll:7.3f} ± {nll_spread:5.3f}")

# %% tags=["picture"]
figure, panels = plt.subplots(1, 2, figsize=(9, 2.6), dpi=90, layout="constrained")
colours = ("#E69F00", "#D55E00", "#56B4E9", "#0072B2")
for axes, column, title in zip(panels, (0, 2), ("accuracy", "NLL_c"), strict=True):
    for place, (rows, colour) in enumerate(zip(scores.values(), colours, strict=True)):
        axes.plot([place] * len(rows), rows[:, column], "o", color=colour)
        axes.plot(place, rows[:, column].mean(), "_", color="black", markersize=26)
    axes.set(title=title, xlim=(-0.6, 3.6))
    axes.set_xticks(range(4), [name.replace(", ", ",\n") for name in scores])
    axes.tick_params("x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
panels[0].set_ylabel("each seed, and the mean")
plt.show()

# %% [markdown]
# TEXT
#
# ## With the command
#
# The same from a terminal, with the single network and CutMix beside it:
#
#     keras-mixvit train --preset zero_to_four --data photos --epochs 60 \
#         --set schedule.layer_decay=0.75 --single-cutmix
#
# It resizes your images to those of the preset, chooses a batch size and a learning
# rate, and prints its choices.
#
# ## Any Keras model
#
# `KerasBackbone` makes a MIMO network of a functional Keras model with its weights. You
# name the layer at which the images are mixed. Here it is a small residual network, as
# it could be `keras.applications.ResNet50`:

# %%
inputs = keras.Input((8, 8, 1))
grid = keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="stem")(
    inputs
)
block = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(grid)
grid = keras.layers.Add()([grid, keras.layers.Conv2D(16, 3, padding="same")(block)])
features = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(grid))
your_model = keras.Model(inputs, features)

backbone = KerasBackbone(your_model, grid="stem")
mixmo = MixMo(backbone, num_classes=5, num_subnetworks=2, mixing_scale=1)
print(f"{your_model.count_params():,} parameters become {mixmo.count_params():,}")
print("logits (B, M, K):", mixmo.inference_network(test_images[:3]).shape)

# %% [markdown]
# Each subnetwork has its own copy of the layers up to `stem`, and its own head. All
# layers between them are shared. You train it as in
# [Cut-MixMo on CNNs](05_cut_mixmo_on_cnns.ipynb).
#
# ## What you learned
#
# * `save_to_preset` and `from_preset` turn one pretrained network into the start of
#   several subnetworks.
# * `layer_rates` and `LayerwiseAdamW` let pretrained layers learn more slowly than new
#   heads.
# * The baseline of MIMO fine-tuning is the same preset, fine-tuned with CutMix.
# * `KerasBackbone` does the same for a Keras model of your own.
#
# **Next:** [Choosing a method and a backbone](../docs/choosing.md) lists the networks
# whose pretrained weights you can load.
