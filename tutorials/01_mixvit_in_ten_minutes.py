# %% [markdown]
# # MixViT in ten minutes
#
# From arrays of images to a trained MixViT, and an honest comparison with the single
# network of the same cost.
#
# **You need** to know Keras: `compile`, `fit`, what a layer is. You need to know
# nothing of multi-input multi-output (MIMO) training; the words of the papers are
# explained where they come up, and once more in the [glossary](#Glossary). All cells
# run in one to two minutes on two CPU cores, without a network connection.

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
    MixViT,
    SingleNetwork,
    load,
    load_model,
    mixed_pair_dataset,
)
from keras_mixvit.analysis import mixed_samples
from keras_mixvit.costs import flops
from keras_mixvit.metrics import (
    accuracy,
    calibrated_nll,
    calibration_error,
    fit_temperature,
    nll,
)

# %% [markdown]
# ## The idea
#
# Several networks that vote are usually better than one, and cost several times as
# much. MIMO training puts the several networks into one:
#
# * **In training** the network sees a *mixed pair*, one image made of two, and predicts
#   *both* labels, with two heads.
# * **At inference** it sees one image, and the two heads both predict its label. Their
#   mean is the prediction.
#
# MixViT does this with a vision transformer. Such a network cuts an image into patches,
# and so does the mixing: each patch comes from one image or the other. All layers but
# the last few are shared, and therefore two *subnetworks* cost about as much as one.
#
# ## From arrays
#
# Images are an array (n, H, W, C) and labels an array (n,) of integers. The package
# comes with 1,797 handwritten digits of 8 x 8 pixels, cut into three parts.

# %%
train, val, test = (load("digits", split) for split in ("train", "val", "test"))
# With your own files: train = load("cifar10", "train", data_dir=...), or any arrays.
for name, part in {"train": train, "val": val, "test": test}.items():
    images, labels = part.images, part.labels
    print(f"{name:5}", images.shape, images.dtype, labels.shape, labels.dtype)

# %% [markdown]
# ## The single network
#
# A **backbone** is the network without its last layer, here a ConViT with patches of
# 2 x 2 pixels, so that an image becomes a grid of 4 x 4 tokens. It is tiny: the paper's
# is 384 wide and has seven blocks. `mean` and `std` normalise the pixels.

# %%
EPOCHS, BATCH = 80, 125
mean, std = train.statistics()


def backbone():
    return ConViT(
        (8, 8, 1),
        patch_size=2,
        width=32,
        num_heads=4,
        num_blocks=1,
        num_class_blocks=1,
        mean=mean,
        std=std,
    )


def compiled(model):
    """AdamW with a warm-up and a cosine decay, the same for every model."""
    steps = EPOCHS * len(train.images) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 10, 0.01, warmup_target=5e-3, warmup_steps=steps // 10
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.05),
        loss,
        metrics=["accuracy"],
    )
    return model


# %% [markdown]
# `SingleNetwork` is the usual classifier on a backbone, the baseline of the papers. It
# learns from images and labels, like any Keras model.

# %%
keras.utils.set_random_seed(0)
single = compiled(SingleNetwork(backbone(), num_classes=10))
validate = {"validation_data": (val.images, val.labels), "validation_freq": 20}
learned = single.fit(
    train.images,
    train.labels,
    epochs=EPOCHS,
    batch_size=BATCH,
    verbose=0,
    **validate,
).history["val_accuracy"]
print("test accuracy:", accuracy(single.predict(test.images, verbose=0), test.labels))

# %% [markdown]
# ## Mixed pairs
#
# MixViT learns from pairs. `mixed_pair_dataset` makes them of the same two arrays: each
# batch is paired with a random permutation of itself, and a *mask* is drawn for each
# pair, which says what patch comes from which image. The model knows which masks it
# needs.

# %%
keras.utils.set_random_seed(0)
mixvit = compiled(MixViT(backbone(), num_classes=10, num_subnetworks=2))
pairs = mixed_pair_dataset(
    train.images, train.labels, mixvit.mask_sampler(), epochs=EPOCHS, batch_size=BATCH
)
inputs, labels = pairs[0]
print({name: array.shape for name, array in inputs.items()}, "labels:", labels.shape)

# %% [markdown]
# The second axis, of length 2, is that of the subnetworks, everywhere in this library.
# This is what the network gets to see:

# %%
figure, _ = mixed_samples(pairs, mixvit.mixing, train.class_names)
figure

# %% [markdown]
# Above the images stand their labels and their *ratios*, the share of patches that are
# to be seen. A label is worth learning to the extent that its image is in the picture:
# the loss is the sum of two cross-entropies, each times its ratio (MixViT, Eq. 1).
#
# ## Training MixViT
#
# `fit` takes the pairs. Validation is about plain images and the ensemble.

# %%
mixed = mixvit.fit(pairs, verbose=0, **validate).history["val_accuracy"]
print("validation accuracy   single network   MixViT")
for epoch, one, other in zip(range(20, 81, 20), learned, mixed, strict=True):
    print(f"after epoch {epoch} {one:21.3f} {other:8.3f}")

# %% [markdown]
# ## What it predicts
#
# `predict` gives logits (n, K) of the *ensemble*: the mean of the logits of the
# subnetworks. Those are there, too, (n, M, K):

# %%
logits = mixvit.predict(test.images, verbose=0)
subnetworks = mixvit.inference_network.predict(test.images, verbose=0)
print("ensemble", logits.shape, "subnetworks", subnetworks.shape)
assert np.allclose(subnetworks.mean(axis=1), logits, atol=1e-4)

print(f"ensemble:     {accuracy(logits, test.labels):.3f}")
for m in range(2):
    print(f"subnetwork {m}: {accuracy(subnetworks[:, m], test.labels):.3f}")
first, second = subnetworks.argmax(axis=-1).T
print(f"they agree on {(first == second).mean():.1%} of the test images")

# %% [markdown]
# Where two subnetworks agree on nearly every image, their vote cannot help much. In a
# network as small as this one they hardly part. What MixViT then has left is what the
# paper calls *implicit regularisation*: features that were learned from mixtures, under
# two labels at once.
#
# ## The same cost?
#
# `flops` counts the operations of both models for one image.

# %%
cost = {name: flops(m) for name, m in {"single": single, "MixViT": mixvit}.items()}
for name, model in {"single": single, "MixViT": mixvit}.items():
    total = cost[name].total.flops
    relative = total / cost["single"].total.flops
    print(f"{name:7} {model.count_params():7,} parameters  ", end="")
    print(f"{total:9,} FLOPs  {relative:.3f} times the single network")

# %% [markdown]
# The second subnetwork costs one more pass of the last block, on one token. The wider
# and deeper the network, the less that is: in the paper's size it is less than one
# hundredth, as [MixViT from its layers](03_mixvit_from_its_layers.ipynb) counts.

# %% [markdown]
# ## Several seeds
#
# One training says little: another seed would give another number. So train each model
# from three seeds, with the same recipe. A new model would be compiled anew, which
# takes its time; therefore both models are used again. `start_again` gives a model new
# weights and an optimizer without a past.


# %%
def start_again(model, cls, seed):
    keras.utils.set_random_seed(seed)
    model.set_weights(cls(backbone(), num_classes=10).get_weights())
    for variable in model.optimizer.variables:
        variable.assign(np.zeros(variable.shape))  # Where AdamW starts.


def scores(model):
    logits = model.predict(test.images, batch_size=500, verbose=0)
    measures = (accuracy, nll, calibrated_nll, calibration_error, fit_temperature)
    return [measure(logits, test.labels) for measure in measures]


found = {"single network": [scores(single)], "MixViT": [scores(mixvit)]}
for seed in (1, 2):
    start_again(single, SingleNetwork, seed)
    single.fit(train.images, train.labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    found["single network"].append(scores(single))

    start_again(mixvit, MixViT, seed)
    sampler = mixvit.mask_sampler()
    pairs = mixed_pair_dataset(
        train.images, train.labels, sampler, epochs=EPOCHS, batch_size=BATCH, seed=seed
    )
    mixvit.fit(pairs, verbose=0)
    found["MixViT"].append(scores(mixvit))

# %%
found = {name: np.array(rows) for name, rows in found.items()}
names = ("accuracy", "NLL", "NLL_c", "ECE", "temperature")
print(f"{'3 seeds':16}", *(f"{name:>15}" for name in names))
for name, rows in found.items():
    average, spread = rows.mean(axis=0), rows.std(axis=0)
    cells = [f"{a:.3f} ± {s:.3f}" for a, s in zip(average, spread, strict=True)]
    print(f"{name:16}", *(f"{cell:>15}" for cell in cells))
better = found["MixViT"] - found["single network"]
print(f"MixViT is more accurate in {(better[:, 0] > 0).sum()} of 3 seeds,", end=" ")
print(f"its NLL is lower in {(better[:, 1] < 0).sum()}, its NLL_c", end=" ")
print(f"in {(better[:, 2] < 0).sum()}, its ECE in {(better[:, 3] < 0).sum()}.")

# %% tags=["picture"]
figure, panels = plt.subplots(1, 4, figsize=(9, 2.4), dpi=90, layout="constrained")
colours = {"single network": "#D55E00", "MixViT": "#0072B2"}
for column, (axes, title) in enumerate(zip(panels, names[:4], strict=True)):
    for place, (name, rows) in enumerate(found.items()):
        values = rows[:, column]
        axes.plot([place] * 3, values, "o", color=colours[name])
        axes.plot(place, values.mean(), "_", color="black", markersize=26)
    axes.set(title=title, xlim=(-0.6, 1.6))
    axes.set_xticks((0, 1), ("single", "MixViT"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
panels[0].set_ylabel("each seed, and the mean")
plt.show()

# %% [markdown]
# Behind ± stands the standard deviation of the seeds. Accuracy is better when high, the
# other three when low. How to read it:
#
# * One image of the test set is 0.002 of accuracy, and three seeds are few. A
#   difference that is not clearly larger than the spread of the seeds is none.
# * Both have the same recipe, short and without augmentation, which helps a network
#   that has no other regularisation. The paper compares both ways on CIFAR-100 (Table
#   4): 72.3 % for the single network against 79.0 % without strong regularisation,
#   79.5 % against 82.4 % with it, after 150 epochs.
# * MixViT sees few whole images before the last twelfth of its training. At first it
#   learns more slowly, as the validation accuracies above show, and a network that is
#   used to mixtures is less sure than it could be: the *temperature* that would be best
#   for its logits is below 1, where that of the single network is above. NLL and ECE
#   punish that; NLL_c, which is computed after the best temperature has sharpened the
#   probabilities, does not.
#
# ## Save and load
#
# A `.keras` file holds everything, and loads on every backend.

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "mixvit.keras"
    mixvit.save(path)
    loaded = load_model(path)
before = mixvit.predict(test.images, verbose=0)
after = loaded.predict(test.images, verbose=0)
print("largest difference:", np.abs(before - after).max())

# %% [markdown]
# ## Glossary
#
# * **MIMO**: multi-input multi-output: one network that takes several images at once
#   and predicts a label for each.
# * **subnetwork**: one of the M predictors that share a network. Axis 1 of every tensor
#   that belongs to them.
# * **mixed pair, mixed sample**: M images with their masks; the network sees their
#   mixture.
# * **mask**: for each place of the grid, the share of each image there; the shares sum
#   to 1. MixViT's are 0 or 1.
# * **ratio** (κ in MixMo, λ in MixViT): the mean of a mask: the share of its image in
#   the mixture.
# * **loss weight**: what a subnetwork's loss counts: in MixViT the ratio, in MixMo a
#   flatter function of it.
# * **CutMix**: mixing by a box: inside one image, outside the other.
# * **binarized patch CutMix**: CutMix decided patch by patch, by majority, so that no
#   patch holds two images.
# * **token**: the vector that stands for a patch within the network.
# * **stem**: the first layer, from image to grid of tokens: the patch embedding.
# * **body**: the expensive blocks, self-attention in MixViT; shared by all subnetworks.
# * **trunk**: the last blocks, from grid to one vector of features; runs once per
#   subnetwork at inference.
# * **head**: the dense layer from features to logits; one per subnetwork.
# * **class attention**: attention with a single query, a learned class token that
#   gathers what the tokens know.
# * **source attribution**: telling the trunk from which image a token came.
# * **source embedding**: attribution by adding one learned vector per source (Eq. 3).
# * **source encoding**: attribution by adding a linear layer's output, one layer per
#   source (Eq. 2).
# * **parallel inference**: one image, given to each source in turn: body once, trunk
#   once per subnetwork.
# * **ensemble**: several predictors that are averaged; here the mean of the
#   subnetworks' logits.
# * **single network**: one input, one output, the baseline of the papers.
# * **backbone**: stem, body and trunk: a network without heads.
# * **logits**: scores of the classes, before the softmax.
# * **NLL**: negative log-likelihood of the true class: cross-entropy on the test set.
# * **NLL_c**: calibrated NLL: after dividing logits by the best temperature, fitted on
#   other images.
# * **temperature**: the number by which logits are divided before the softmax; above 1
#   it makes a model less sure, below 1 more.
# * **ECE**: expected calibration error: how far confidence is from accuracy, on
#   average.
# * **last twelfth**: the end of a training, in which ever more samples show one whole
#   image, as at inference.
#
# ## What you learned
#
# * A mixed pair is two images, two masks and two labels; MixViT sees one mixture and
#   predicts both.
# * Training takes three lines more than that of a single network: the model, the data
#   set of pairs, `fit`.
# * At inference MixViT is an ensemble in one network, for nearly the cost of one.
# * Whether it is better is a question for several seeds, and for data and networks
#   larger than these.
#
# **Next:** [Mixing and masks](02_mixing_and_masks.ipynb) shows what can be mixed;
# [MixViT from its layers](03_mixvit_from_its_layers.ipynb) builds the network by hand;
# [The train step](04_the_train_step.ipynb) repeats the loss in NumPy.
