# %% [markdown]
# # Turn your pretrained network into an ensemble
#
# You have a network that works. This tutorial turns it into two subnetworks at the cost
# of one, fine-tunes them, and asks whether that was worth it.
#
# You need to know Keras, and what a subnetwork and a mixed pair are
# ([MixViT in ten minutes](01_mixvit_in_ten_minutes.ipynb)). It takes about two minutes
# on two CPU cores, and needs the extra `hub` (safetensors holds the weights):
#
#     pip install -e ".[jax,hub,tutorials]"

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
# Nothing is downloaded here, so you train the network yourself: a small ConViT on 250
# digits. `save_to_preset` writes it into a folder, with its weights, the names of its
# classes and a model card.

# %%
BATCH = 50
digits, test = load("digits", "train"), load("digits", "test")
x, y = digits.images[:250], digits.labels[:250]
mean, std = digits.statistics()


def new_backbone():
    return ConViT((8, 8, 1), 2, 48, 4, 2, 2, mean=mean, std=std)


def compiled(model, epochs, rate, decay=1.0):
    """AdamW with a warm-up and a cosine decay, and a rate for each block."""
    steps = epochs * len(x) // BATCH
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 10, warmup_target=rate, warmup_steps=steps // 10
    )
    rates = model.layer_rates(decay)
    optimizer = LayerwiseAdamW(schedule, rates=rates, weight_decay=0.05)
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))
    return model


keras.utils.set_random_seed(0)
single = compiled(SingleNetwork(new_backbone(), num_classes=10), 80, 2e-3)
labels = keras.utils.to_categorical(y, 10)
single.fit(x, labels, batch_size=BATCH, epochs=80, verbose=0)
pretrained = single.predict(test.images, verbose=0)
print(f"test accuracy {accuracy(pretrained, test.labels):.1%}")

folder = work / "digits"
single.save_to_preset(folder, class_names=digits.class_names, license="cc-by-4.0")
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
# `MixViT.from_preset` copies the body once and the head for each subnetwork. Only
# the source vectors are new. They tell the subnetworks apart, and they are small at
# first, so that each subnetwork starts close to your network.

# %%
model = MixViT.from_preset(folder)
found = model.inference_network.predict(test.images, verbose=0)
print("parameters:", f"{single.count_params():,} and {model.count_params():,}")
print("logits (B, M, K):", found.shape, "largest", f"{np.abs(pretrained).max():.1f}")
for m in range(2):
    difference = np.abs(found[:, m] - pretrained).max()
    same = np.mean(found[:, m].argmax(-1) == pretrained.argmax(-1))
    print(f"subnetwork {m}: logits differ by {difference:.3f}, {same:.1%} same classes")

# %% [markdown]
# Two subnetworks that give the same answers are no ensemble. Fine-tuning on mixed pairs
# makes them differ.
#
# ## Fine-tune
#
# You train three networks, each for the same number of steps and with three seeds:
#
# * the single network from the preset, with CutMix. It is **the baseline**, because it
#   is what you would do without this library: CutMix regularises it, as mixing
#   regularises MixViT;
# * MixViT from the preset;
# * MixViT from new weights, to see what the preset is worth.
#
# Here the classes stay the same, so each subnetwork starts with a copy of the head.
# `from_preset(folder, num_classes=5)` would make new heads for a new task. The layers
# of a pretrained network need smaller changes the further they are from the classes:
# `layer_rates(0.9)` multiplies the learning rate by 0.9 for each block.

# %%
SEEDS, EPOCHS = range(3), 80


def make(cls, is_pretrained):
    if is_pretrained:
        return cls.from_preset(folder)
    return cls(new_backbone(), num_classes=10)


def logits_of(cls, is_pretrained):
    """Logits (n, M, K) of the test images after fine-tuning, for each seed."""
    cutmix = PixelMixing("cutmix") if cls is SingleNetwork else None
    model = make(cls, is_pretrained)
    compiled(model, EPOCHS, rate=2e-3, decay=0.9 if is_pretrained else 1.0)
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
            num_classes=10,
            pixel_mixing=cutmix,
            seed=seed,
        )
        model.fit(pairs, verbose=0)
        found.append(model.inference_network.predict(test.images, verbose=0))
    return found


# %%
networks = {
    "single + CutMix, preset": (SingleNetwork, True),
    "MixViT, preset": (MixViT, True),
    "MixViT, new weights": (MixViT, False),
}
logits = {"no training, preset": [pretrained[:, None]]}
logits |= {name: logits_of(*options) for name, options in networks.items()}

# %% [markdown]
# ## Was it worth it?

# %%
scores = {
    name: np.array(
        [
            (
                accuracy(one.mean(axis=1), test.labels),
                np.mean(
                    [accuracy(one[:, m], test.labels) for m in range(one.shape[1])]
                ),
                calibrated_nll(one.mean(axis=1), test.labels),
            )
            for one in found
        ]
    )
    for name, found in logits.items()
}
print(f"{'3 seeds':30} {'accuracy %':>14} {'of a subnetwork':>16} {'NLL_c':>15}")
for name, rows in scores.items():
    (right, alone, nll), (spread, _, nll_spread) = rows.mean(0), rows.std(0)
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
# Read the table from the top:
#
# * Further training with CutMix improves the network a lot: 80 epochs without
#   regularisation were not the best it can do.
# * MixViT from the preset is a little better than that, in accuracy and in NLL_c, at
#   the same cost. Three seeds that start from one network, and 500 test images, cannot
#   prove such a small difference.
# * MixViT from new weights is far behind after the same number of steps. A subnetwork
#   sees half of each image and learns slowly, so a preset saves most of the training.
# * Each subnetwork alone is about as good as both together: in a network this small
#   they hardly differ. What helped is mixing.
#
# ## With the command
#
# You can do the same in a terminal. This command also trains the single network with
# CutMix:
#
#     keras-mixvit train --preset ./digits --data photos --epochs 80 \
#         --set schedule.layer_decay=0.9 --single-cutmix
#
# It resizes your images to those of the preset, chooses a batch size and a learning
# rate, and prints its choices.
#
# ## Any Keras model
#
# `KerasBackbone` makes a backbone for a MIMO network from a functional Keras model,
# with its weights. You name the layer at which the images are mixed. Here the model is
# a small residual network; it could also be `keras.applications.ResNet50`:

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
mixmo = MixMo(backbone, num_classes=10, num_subnetworks=2, mixing_scale=1)
print(f"{your_model.count_params():,} parameters become {mixmo.count_params():,}")
print("logits (B, M, K):", mixmo.inference_network(test.images[:3]).shape)

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
