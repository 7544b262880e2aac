# %% [markdown]
# # MixViT in ten minutes
#
# In this tutorial you train a MixViT from arrays of images. You compare it with a
# single network of the same cost, and then with a single network that is regularised
# as well as MixViT is. Only the second comparison is fair.
#
# **You need** to know Keras: `compile`, `fit`, what a layer is. You do not need to know
# anything about multi-input multi-output (MIMO) training. The tutorial explains the
# terms of the papers where they first appear and lists them again in the
# [glossary](#Glossary). All cells run in about three minutes on two CPU cores, without
# a network connection.

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
from keras_mixvit.data import PixelMixing
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
# Several networks that vote are usually better than one, but they cost several times as
# much. MIMO training puts several networks into one:
#
# * **In training** the network sees a *mixed pair*, one image made from two, and
#   predicts *both* labels with two heads.
# * **At inference** it sees one image, and both heads predict the label of that image.
#   The mean of the heads is the prediction.
#
# MixViT does this with a vision transformer. A vision transformer cuts an image into
# patches, and MixViT mixes whole patches: each patch comes from one image or the other.
# All layers except the last few run only once, so two *subnetworks* cost about as much
# as one.
#
# ## From arrays
#
# Images are an array (n, H, W, C), and labels are an array (n,) of integers. The
# package includes 1,797 handwritten digits of 8 x 8 pixels, divided into three splits.

# %%
train, val, test = (load("digits", split) for split in ("train", "val", "test"))
# With your own files: train = load("cifar10", "train", data_dir=...), or any arrays.
for name, part in {"train": train, "val": val, "test": test}.items():
    images, labels = part.images, part.labels
    print(f"{name:5}", images.shape, images.dtype, labels.shape, labels.dtype)

# %% [markdown]
# With 1,000 training images every network is right on 97 % of the digits, and a
# comparison shows little. So you train on 250 of them, where regularisation counts.

# %%
x, y = train.images[:250], train.labels[:250]
print("images of each class:", np.bincount(y))

# %% [markdown]
# ## The single network
#
# A **backbone** is a network without its last layer. Here it is a ConViT with patches
# of 2 x 2 pixels, so an image becomes a grid of 4 x 4 tokens. This one is tiny: the
# paper's ConViT is 384 wide and has seven blocks. `mean` and `std` normalise the
# pixels.

# %%
EPOCHS, BATCH = 240, 50
mean, std = train.statistics()


def backbone():
    return ConViT(
        (8, 8, 1),
        patch_size=2,
        width=48,
        num_heads=4,
        num_blocks=1,
        num_class_blocks=1,
        mean=mean,
        std=std,
    )


def compiled(model, soft_labels=False):
    """AdamW with a warm-up and a cosine decay, the same for every model."""
    steps = EPOCHS * len(x) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 10, 0.01, warmup_target=3e-3, warmup_steps=steps // 10
    )
    kind = "CategoricalCrossentropy" if soft_labels else "SparseCategoricalCrossentropy"
    loss = getattr(keras.losses, kind)(from_logits=True)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.05),
        loss,
        metrics=["accuracy"],
    )
    return model


# %% [markdown]
# `SingleNetwork` is an ordinary classifier on a backbone, and the baseline of the
# papers. It trains on images and labels, like any Keras model.

# %%
keras.utils.set_random_seed(0)
single = compiled(SingleNetwork(backbone(), num_classes=10))
validate = {"validation_data": (val.images, val.labels), "validation_freq": 60}
short = {"epochs": EPOCHS, "batch_size": BATCH}
learned = single.fit(x, y, **short, **validate, verbose=0).history["val_accuracy"]
print(f"training accuracy: {accuracy(single.predict(x, verbose=0), y):.3f}")
logits = single.predict(test.images, verbose=0)
print(f"test accuracy:     {accuracy(logits, test.labels):.3f}")

# %% [markdown]
# The network knows all of its training images by heart, and the test images much less
# well: it overfits.

# %% [markdown]
# ## Mixed pairs
#
# MixViT trains on pairs. `mixed_pair_dataset` makes them from the same two arrays. It
# pairs each batch with a random permutation of itself and draws a *mask* for each pair.
# The mask specifies which patch comes from which image. The model provides the sampler
# for the masks that it needs.

# %%
keras.utils.set_random_seed(0)
mixvit = compiled(MixViT(backbone(), num_classes=10, num_subnetworks=2))
pairs = mixed_pair_dataset(x, y, mixvit.mask_sampler(), **short)
inputs, labels = pairs[0]
print({name: array.shape for name, array in inputs.items()}, "labels:", labels.shape)

# %% [markdown]
# Throughout this library, the second axis, here of length 2, is the axis of the
# subnetworks. This is what the network sees:

# %%
figure, _ = mixed_samples(pairs, mixvit.mixing, train.class_names)
figure

# %% [markdown]
# The titles above the images show their labels and their *ratios*. A ratio is the share
# of patches that are visible. A label should count only as much as its image is
# visible, so the loss is the sum of two cross-entropies, each multiplied by its ratio
# (MixViT, Eq. 1).
#
# ## Training MixViT
#
# Pass the pairs to `fit`. Validation uses plain images and evaluates the ensemble.

# %%
mixed = mixvit.fit(pairs, verbose=0, **validate).history["val_accuracy"]
print("validation accuracy   single network   MixViT")
for epoch, one, other in zip(range(60, 241, 60), learned, mixed, strict=True):
    print(f"after epoch {epoch:3} {one:20.3f} {other:8.3f}")

# %% [markdown]
# ## What it predicts
#
# `predict` returns logits (n, K) of the *ensemble*: the mean of the logits of the
# subnetworks. You can also get the logits of each subnetwork, (n, M, K):

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
# If two subnetworks agree on nearly every image, their vote cannot help much. In a
# network as small as this one they hardly differ. What remains is the effect that the
# paper calls *implicit regularisation*: the features were learned from mixtures, with
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
# The second subnetwork adds one more pass of the last block, on one token. Its relative
# cost falls as the network becomes wider and deeper. At the paper's size it is less
# than one hundredth, as [MixViT from its layers](03_mixvit_from_its_layers.ipynb)
# shows.

# %% [markdown]
# ## A fair baseline
#
# MixViT won, but a network that sees mixtures of images is regularised, and the single
# network was not. So give it the usual regularisation, CutMix: a box of one image is
# replaced by that box of another, and the label becomes soft, the share of each image.
# `PixelMixing` does this in the same data set, before anything else.

# %%
cutmix = compiled(SingleNetwork(backbone(), num_classes=10), soft_labels=True)


def images_for(model, seed=0):
    """What a model trains on: mixed pairs, or images with CutMix, or plain images."""
    options = {"pixel_mixing": PixelMixing("cutmix"), "num_classes": 10}
    options = options if model is cutmix else {}
    return mixed_pair_dataset(x, y, model.mask_sampler(), seed=seed, **options, **short)


inputs, labels = images_for(cutmix)[0]
print({name: array.shape for name, array in inputs.items()}, "labels:", labels.shape)
most_mixed = labels.max(axis=-1).argmin()
print("one label:", labels[most_mixed, 0].round(2))

# %% [markdown]
# ## Several seeds
#
# One training run proves little, because another seed would give another number. So
# train each model with three seeds and the same recipe. A new model would have to be
# compiled again, which takes time, so you reuse the models. `start_again` gives a
# model new weights and resets its optimizer.


# %%
def start_again(model, seed):
    keras.utils.set_random_seed(seed)
    model.set_weights(type(model)(backbone(), num_classes=10).get_weights())
    for variable in model.optimizer.variables:
        variable.assign(np.zeros(variable.shape))  # Where AdamW starts.


def scores(model):
    logits = model.predict(test.images, batch_size=500, verbose=0)
    measures = (accuracy, nll, calibrated_nll, calibration_error, fit_temperature)
    return [measure(logits, test.labels) for measure in measures]


models = {"single network": single, "with CutMix": cutmix, "MixViT": mixvit}
found = {"single network": [scores(single)], "MixViT": [scores(mixvit)]}
for name, model in models.items():
    rows = found.setdefault(name, [])
    for seed in range(len(rows), 3):
        start_again(model, seed)
        model.fit(images_for(model, seed), verbose=0)
        rows.append(scores(model))

# %%
found = {name: np.array(found[name]) for name in models}
names = ("accuracy", "NLL", "NLL_c", "ECE", "temperature")
print(f"{'3 seeds':16}", *(f"{name:>15}" for name in names))
for name, rows in found.items():
    average, spread = rows.mean(axis=0), rows.std(axis=0)
    cells = [f"{a:.3f} ± {s:.3f}" for a, s in zip(average, spread, strict=True)]
    print(f"{name:16}", *(f"{cell:>15}" for cell in cells))
for name in ("single network", "with CutMix"):
    better = found["MixViT"] - found[name]
    print(f"Compared with {name!r}, MixViT is", end=" ")
    print(f"more accurate in {(better[:, 0] > 0).sum()} of 3 seeds,", end=" ")
    print(f"its NLL_c is lower in {(better[:, 2] < 0).sum()}.")

# %% tags=["picture"]
figure, panels = plt.subplots(1, 4, figsize=(9, 2.4), dpi=90, layout="constrained")
colours = dict(zip(models, ("#D55E00", "#009E73", "#0072B2"), strict=True))
for column, (axes, title) in enumerate(zip(panels, names[:4], strict=True)):
    for place, (name, rows) in enumerate(found.items()):
        values = rows[:, column]
        axes.plot([place] * 3, values, "o", color=colours[name])
        axes.plot(place, values.mean(), "_", color="black", markersize=26)
    axes.set(title=title, xlim=(-0.6, 2.6))
    axes.set_xticks((0, 1, 2), ("single", "CutMix", "MixViT"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
panels[0].set_ylabel("each seed, and the mean")
plt.show()

# %% [markdown]
# The number after ± is the standard deviation over the seeds. A higher accuracy is
# better. For NLL, NLL_c and ECE, a lower value is better. Read the table as follows:
#
# * One test image is 0.002 of accuracy, and three seeds are few. Do not count a
#   difference unless it is clearly larger than the spread of the seeds.
# * MixViT beats the single network by far. **That comparison is not fair**: mixing
#   regularises MixViT, and nothing regularises the single network.
# * The single network with CutMix is as accurate as MixViT. So nearly all of the gain
#   came from mixing images, and none of it is proved to come from the subnetworks. They
#   agree on nearly every image, so there is little to average.
# * The paper sees more on CIFAR-100 (Table 4), with larger networks and 150 epochs.
#   Without strong regularisation the single network reaches 72.3 % and MixViT 79.0 %.
#   With it, they reach 79.5 % and 82.4 %. [Results](../docs/results.md) shows what this
#   library has measured so far.
# * MixViT sees few whole images before the last twelfth of its training. At first it
#   learns more slowly, as the validation accuracies above show. A network trained on
#   mixtures is also less confident than it could be: the best *temperature* for its
#   logits is below 1, while that of the single network is above 1. NLL and ECE penalise
#   this. NLL_c does not, because it is computed after the best temperature has
#   sharpened the probabilities.
#
# ## Save and load
#
# A `.keras` file holds the complete model and loads on every backend.

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
# * **subnetwork**: one of the M predictors that share a network. Every tensor that
#   belongs to the subnetworks has them on axis 1.
# * **mixed pair, mixed sample**: M images with their masks; the network sees their
#   mixture.
# * **mask**: the share of each image at each position of the grid; the shares sum to 1.
#   In MixViT the values are 0 or 1.
# * **ratio** (κ in MixMo, λ in MixViT): the mean of a mask, which is the share of its
#   image in the mixture.
# * **loss weight**: the weight of a subnetwork's loss. In MixViT it is the ratio; in
#   MixMo it is a flatter function of the ratio.
# * **CutMix**: mixing with a box: one image inside the box, the other outside.
# * **binarized patch CutMix**: CutMix decided by majority for each patch, so that no
#   patch contains two images.
# * **token**: the vector that represents a patch within the network.
# * **stem**: the first layer, which turns an image into a grid of tokens: the patch
#   embedding.
# * **body**: the expensive blocks, which are self-attention blocks in MixViT; all
#   subnetworks share it.
# * **trunk**: the last blocks, which turn the grid into one feature vector. The trunk
#   runs once per subnetwork at inference.
# * **head**: the dense layer from features to logits; one per subnetwork.
# * **class attention**: attention with a single query, a learned class token that
#   collects information from the other tokens.
# * **source attribution**: information for the trunk about which image a token came
#   from.
# * **source embedding**: source attribution that adds one learned vector per source
#   (Eq. 3).
# * **source encoding**: source attribution that adds the output of a linear layer, one
#   layer per source (Eq. 2).
# * **parallel inference**: inference on one image that is assigned to each source in
#   turn. The body runs once, and the trunk runs once per subnetwork.
# * **ensemble**: several predictors whose predictions are averaged; here the mean of
#   the subnetworks' logits.
# * **single network**: a network with one input and one output, the baseline of the
#   papers.
# * **backbone**: stem, body and trunk: a network without heads.
# * **logits**: scores of the classes, before the softmax.
# * **NLL**: negative log-likelihood of the true class: the cross-entropy on the test
#   set.
# * **NLL_c**: calibrated NLL: the NLL after dividing the logits by the best
#   temperature, fitted on other images.
# * **temperature**: the number that divides the logits before the softmax. Above 1 it
#   makes a model less confident; below 1 it makes the model more confident.
# * **ECE**: expected calibration error: the average distance between confidence and
#   accuracy.
# * **last twelfth**: the end of training, when a growing share of the samples shows one
#   whole image, as at inference.
#
# ## What you learned
#
# * A mixed pair is two images, two masks and two labels. MixViT sees one mixture and
#   predicts both labels.
# * You train MixViT like any Keras model: you create the model, you create the data set
#   of pairs, and you pass the pairs to `fit`. Only the data set is new.
# * At inference MixViT is an ensemble in one network, at nearly the cost of one
#   network.
# * To find out whether it is better, use several seeds, and data and networks larger
#   than these.
#
# **Next:** [Mixing and masks](02_mixing_and_masks.ipynb) shows what you can mix.
# [MixViT from its layers](03_mixvit_from_its_layers.ipynb) builds the network by hand.
# [The train step](04_the_train_step.ipynb) repeats the loss in NumPy.
