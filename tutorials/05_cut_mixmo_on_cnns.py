# %% [markdown]
# # Cut-MixMo on convolutional networks
#
# MIMO, Linear-MixMo and Cut-MixMo are the same network, trained with different masks.
# In this tutorial you take that network apart and check its equations by hand. You then
# train all three methods and compare them with an ordinary network.
#
# You need to know Keras. [MixViT in ten minutes](01_mixvit_in_ten_minutes.ipynb)
# explains what a mixed pair of images is; this tutorial repeats it briefly. It takes
# one to two minutes on two CPU cores.
#
# The method comes from *MixMo: Mixing Multiple Inputs for Multiple Outputs via Deep
# Subnetworks* (Ramé, Sun and Cord, ICCV 2021). Section and equation numbers refer to
# that paper.

# %%
# %matplotlib inline
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from keras_mixvit import MixMo, SingleNetwork, WideResNet, load, mixed_pair_dataset
from keras_mixvit.analysis import (
    diversity_accuracy,
    mask_gallery,
    mixed_samples,
    subnetwork_scores,
    weighting_curves,
)
from keras_mixvit.masks import CutMixMasks, loss_weighting
from keras_mixvit.metrics import accuracy, calibrated_nll, disagreement
from keras_mixvit.recipes import published_rows

# %% [markdown]
# ## Images
#
# The library includes handwritten digits of 8 x 8 pixels. With all 1,000 training
# images the task is too easy to separate the methods, so you use only 200 of them. To
# use CIFAR-100, change the first line; Keras downloads the data once. The last section
# describes what else a real training on CIFAR needs.

# %%
NAME, COUNT = "digits", 200  # "cifar100", None for all of CIFAR-100

train, test = load(NAME, "train"), load(NAME, "test")
images, labels = train.images[:COUNT], train.labels[:COUNT]
mean, std = train.statistics()
image_shape, classes = images.shape[1:], train.num_classes
print(f"{len(images)} training images {image_shape}, {len(test.images)} test images")

# %% [markdown]
# ## The backbone: a WideResNet in three parts
#
# A WideResNet of depth 6n + 4 has a first convolution, three groups of n residual
# blocks, and a classifier. Its *widening* w multiplies the channels of the groups. The
# paper uses WRN-28-10; this tutorial uses WRN-10-1. The library splits every backbone
# into a **stem**, a **body** and a **trunk**, because the methods insert different
# layers between these parts.


# %%
def backbone(seed=0):
    keras.utils.set_random_seed(seed)
    return WideResNet(image_shape, depth=10, widening=1, l2=3e-4, mean=mean, std=std)


parts = backbone()
for name in ("stem", "body", "trunk"):
    part = getattr(parts, name)
    print(f"{name:5}  {part.input.shape[1:]!s:12} -> {part.output.shape[1:]}")

# %% [markdown]
# ## The model: M stems, one body, M heads
#
# `MixMo` takes the backbone and adds a second stem like the first, and a second head.
# The subnetworks share everything in between. An ensemble of two therefore adds only
# the convolution of one stem, 3 · 3 · C · 16 numbers, and one classifier, (64 w + 1) ·
# K.

# %%
single = SingleNetwork(backbone(), classes)
model = MixMo(backbone(), classes, num_subnetworks=2, r=3)

stem, head = 3 * 3 * image_shape[-1] * 16, (64 + 1) * classes
print(f"single network {single.count_params():,}, MixMo {model.count_params():,}")
print(
    f"difference {model.count_params() - single.count_params()}, by hand {stem + head}"
)

# %% [markdown]
# ## What happens to a pair
#
# In training, a sample is a pair of images with a pair of masks. Image 0 goes through
# stem 0, and image 1 goes through stem 1. The masks sum to 1 at each position. They mix
# the two feature maps, and the mixture is multiplied by M = 2 (Eq. 2):
#
# $$\mathcal{M}(l_0, l_1) = 2\,[\,m_0 \odot l_0 + m_1 \odot l_1\,]$$
#
# Body and trunk run once on the mixture. Head 0 predicts the label of image 0, and head
# 1 predicts the label of image 1. The figure shows such pairs with the boxes of
# Cut-MixMo. It shows the images, framed in the colours of their masks and titled with
# their shares of the mixture, and the part of each image that its mask lets through.
# The network never sees the last two rows as images, because it mixes features.

# %%
boxes = model.mask_sampler("cut_mixmo", probability=1)
pairs = mixed_pair_dataset(images, labels, boxes, epochs=10, batch_size=50)
figure, _ = mixed_samples(pairs, None, train.class_names)
display(figure)

# %% [markdown]
# Now compute the same result by hand from the parts of the model, and compare it with
# the model itself:

# %%
inputs, targets = pairs.batch(epoch=0, index=0)
grids = [stem(inputs["images"][:, m]) for m, stem in enumerate(model.stems)]
masks = keras.ops.convert_to_tensor(inputs["masks"][..., None])
mixture = 2 * (masks[:, 0] * grids[0] + masks[:, 1] * grids[1])
logits = model.heads(model.trunk(model.body(mixture)))
print(f"images {inputs['images'].shape}, B M H W C")
print(f"masks  {inputs['masks'].shape}, B M h w; labels {targets.shape}, B M")
print(f"logits {tuple(logits.shape)}, B M K")
print(f"largest difference {float(keras.ops.max(abs(logits - model(inputs)))):.1e}")

# %% [markdown]
# At inference there is one image and no mask. The image goes through all stems, the
# model *adds* the outputs of the stems, and it averages the M predictions:

# %%
x = test.images[:50]
both = model.heads(model.trunk(model.body(model.stems[0](x) + model.stems[1](x))))
ensemble = keras.ops.mean(both, axis=1)
print(f"largest difference {float(keras.ops.max(abs(ensemble - model(x)))):.1e}")

# %% [markdown]
# This sum is Eq. 2 with both masks equal to 1/2. It explains the factor M. It also
# explains why training needs linear mixtures: a network trained only on boxes would
# receive an input at inference that it has never seen in training.
#
# ## Three methods are three kinds of masks
#
# * **MIMO**: the masks are 1/M everywhere. Both images are fully visible, one overlaid
#   on the other.
# * **Linear-MixMo**: a ratio κ ~ Beta(α, α), with α = 2. The masks are κ and 1 - κ
#   everywhere, as in MixUp.
# * **Cut-MixMo**: one image gets a box, as in CutMix, and the other image gets the
#   rest. By default only half of the batches use boxes; the others are linear.
#
# In the figure below, each column is a separate batch. The numbers are the shares of
# the two images in percent.

# %%
samplers = {
    "MIMO": model.mask_sampler("mimo"),
    "Linear": model.mask_sampler("linear_mixmo"),
    "Cut, p = 0.5": model.mask_sampler("cut_mixmo", probability=0.5),
    "Cut, p = 1": model.mask_sampler("cut_mixmo", probability=1),
}
figure, _ = mask_gallery(samplers, image_size=image_shape[:2], seed=3)
display(figure)

# %% [markdown]
# For the ratio κ, each side of the box is √κ times the side of the grid. The box is
# clipped at the border, so it covers less than κ on average. Two rules keep the two
# subnetworks equal despite this. First, a fair coin decides which image gets the box.
# Second, the loss never uses κ; it uses the *actual* share, which is the mean of the
# mask. On a grid of 32 x 32:

# %%
rng = np.random.default_rng(0)
ratios = rng.beta(2, 2, size=10000)
areas = CutMixMasks().draw_region(rng, ratios, (32, 32)).mean(axis=(1, 2))
drawn = [CutMixMasks().draw(rng, 1, (32, 32))[0].mean(axis=(1, 2)) for _ in range(4000)]
print(f"mean of κ {ratios.mean():.3f}, of the area of the box {areas.mean():.3f}")
print(f"mean shares of the two images {np.mean(drawn, axis=0).round(3)}")

# %% [markdown]
# ## p: how many batches have boxes
#
# Boxes in all batches (p = 1) would create a gap between training and inference. At
# inference the stems are added, as in linear mixing with κ = 1/2. The paper therefore
# uses boxes with probability p = 0.5, and decreases p to 0 over the last twelfth of
# training, so that the network finishes training on the kind of input it sees at
# inference (Section 4.1, Algorithm 1). In epoch e of E,
#
# $$p_e = p \cdot \mathrm{clip}(12\,(1 - e / E),\, 0,\, 1).$$
#
# This is why you pass E to the data set. The next cell counts the share of batches with
# boxes:

# %%
EPOCHS = 48
sampler = model.mask_sampler("cut_mixmo", probability=0.5)
rng = np.random.default_rng(0)


def has_boxes(epoch):
    masks = sampler.draw(rng, 1, image_shape[:2], progress=epoch / EPOCHS)
    return np.isin(masks, (0, 1)).all()


epochs = np.arange(1, EPOCHS + 1)
counted = [np.mean([has_boxes(epoch) for _ in range(300)]) for epoch in epochs]
figure, axes = plt.subplots(figsize=(6, 2.4), dpi=80, layout="constrained")
axes.plot(epochs, 0.5 * np.clip(12 * (1 - epochs / EPOCHS), 0, 1), label="formula")
axes.plot(epochs, counted, "o", markersize=3, label="counted in 300 batches")
axes.set(xlabel="epoch", ylabel="share with boxes", ylim=(0, 0.7))
axes.legend()
plt.show()

# %% [markdown]
# ## r: how the two losses are weighted
#
# The image with the larger share is easier to recognise. How much should the other
# image count? With shares κ_m, Eq. 5 weights the cross-entropy of head m by
#
# $$w_m = M\,\frac{\kappa_m^{1/r}}{\sum_j \kappa_j^{1/r}},$$
#
# which is Eq. 3 for M = 2. With r = 1 each loss counts in proportion to the share of
# its image, as in the label mixing of MixUp and CutMix. With r → ∞ all losses count
# equally. The paper uses r = 3. For MIMO all shares are 1/M, so all weights are 1 for
# any r.

# %%
figure, _ = weighting_curves([1, 3, np.inf])
display(figure)

# %% [markdown]
# The weights sum to M. The paper sums the M losses, but Keras takes their mean. The
# model therefore multiplies the sample weights that it passes to Keras by M:

# %%
ratios = inputs["masks"].mean(axis=(2, 3))
weights = keras.ops.convert_to_numpy(model.loss_weights(ratios))
for m in range(3):
    w = loss_weighting(ratios[m], r=3)
    print(
        f"shares {ratios[m].round(3)}  w {w.round(3)}  to Keras {weights[m].round(3)}"
    )
print("three images:", loss_weighting(np.array([0.6, 0.3, 0.1]), r=3).round(3))

# %% [markdown]
# ## b: batch repetition
#
# With batch repetition b, each image appears b times in its batch, each time with a
# different partner and a different mask (Section 4.1). The batch size stays the same,
# so a batch of size B holds B / b different images, and an epoch has b times as many
# steps. The paper divides the learning rate by b. Training costs b times as much. The
# paper uses b = 2 and 4.

# %%
for b in (1, 2):
    repeated = mixed_pair_dataset(
        images, labels, sampler, epochs=EPOCHS, batch_size=50, repetitions=b
    )
    first = repeated[0][0]["images"]
    different = [len(np.unique(first[:, m], axis=0)) for m in range(2)]
    print(f"b = {b}: {len(repeated)} steps an epoch, different images {different}")

# %% [markdown]
# ## Training side by side
#
# All mixing methods use the same network with different masks, so one compiled model
# can train them all. Before each training run it gets new initial weights and a reset
# optimizer. (You could create a new model for each run instead, but Keras would compile
# each one.) The settings follow the paper where they apply: SGD with Nesterov momentum,
# L2 of 3e-4 in the loss, α = 2, r = 3; b = 1. The learning rate follows a cosine decay.
#
# The seed determines the 200 training images, the initial weights, the pairs and the
# masks. Four seeds therefore give four training runs that differ in all of these. For a
# given seed, all methods use the same images and initial weights drawn from the same
# seed, so you can compare them seed by seed.

# %%
BATCH, SEEDS = 20, (0, 1, 2, 3)


def compiled(model):
    rate = keras.optimizers.schedules.CosineDecay(0.05, EPOCHS * len(images) // BATCH)
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.optimizer.build(model.trainable_variables)
    return model


def trained(model, weights, masks, seed):
    """Trains from these weights; the test logits (n, M, K) of the subnetworks."""
    model.set_weights(weights)
    for variable in model.optimizer.variables:
        variable.assign(0 * variable)
    chosen = np.random.default_rng(seed).permutation(len(train.images))[:COUNT]
    x, y = train.images[chosen], train.labels[chosen]
    options = {"epochs": EPOCHS, "batch_size": BATCH, "seed": seed}
    model.fit(mixed_pair_dataset(x, y, masks, **options), epochs=EPOCHS, verbose=0)
    return model.inference_network.predict(test.images, verbose=0)


# %%
methods = {"single network": (compiled(single), single.mask_sampler())}
compiled(model)
methods |= {name: (model, sampler) for name, sampler in samplers.items()}
fresh = {
    network: [type(network)(backbone(seed), classes).get_weights() for seed in SEEDS]
    for network in (single, model)
}
predictions = {
    name: [trained(network, fresh[network][s], masks, s) for s in SEEDS]
    for name, (network, masks) in methods.items()
}

# %% [markdown]
# ## Results
#
# The table shows means ± standard deviations over the seeds:
#
# * the accuracy of the ensemble, and the mean accuracy of its subnetworks alone;
# * NLL_c, the negative log-likelihood after calibration. A lower value is better.
#   [Uncertainty](06_uncertainty.ipynb) explains this score;
# * how often the two subnetworks disagree, and the paper's measure of diversity, the
#   ratio-error d_re: the number of images that only one of them gets wrong, divided by
#   the number that both get wrong.


# %%
def scores_of(runs):
    found = {
        "accuracy": [100 * accuracy(run, test.labels) for run in runs],
        "calibrated_nll": [calibrated_nll(run, test.labels) for run in runs],
    }
    if runs[0].shape[1] > 1:
        each = [subnetwork_scores(run, test.labels) for run in runs]
        found["member"] = [100 * scores["subnetwork_accuracy"] for scores in each]
        found["disagreement"] = [100 * disagreement(run) for run in runs]
        found["ratio_error"] = [scores["ratio_error"] for scores in each]
    return {key: np.array(values) for key, values in found.items()}


def spread(values, form):
    return f"{np.mean(values):{form}} ± {np.std(values, ddof=1):{form}}"


scores = {name: scores_of(runs) for name, runs in predictions.items()}
FORMS = {"accuracy": ".1f", "member": ".1f", "calibrated_nll": ".3f"}
FORMS |= {"disagreement": ".1f", "ratio_error": ".2f"}
lines = ["||accuracy %|of a member %|NLL_c|disagreement %|d_re|", "|---" * 6 + "|"]
for name, found in scores.items():
    cells = [spread(found[key], FORMS[key]) if key in found else "" for key in FORMS]
    lines.append(f"|{name}|{'|'.join(cells)}|")
display(Markdown("\n".join(lines)))

# %% [markdown]
# These deviations describe whole training runs. They include the choice of training
# images, which all methods share for a given seed. Look therefore at the difference
# from the single network for each seed: each grey line is one seed, and the black line
# is the mean.

# %% tags=["picture"]
figure, panels = plt.subplots(1, 3, figsize=(8.5, 3), dpi=80, layout="constrained")
titles = {
    "accuracy": "accuracy above the single\nnetwork (points)",
    "calibrated_nll": "NLL_c above the\nsingle network",
    "disagreement": "disagreement of the\nsubnetworks (%)",
}
names = list(samplers)
for axes, (key, title) in zip(panels, titles.items(), strict=True):
    values = np.stack([scores[name][key] for name in names])
    if key != "disagreement":
        values = values - scores["single network"][key]
        axes.axhline(0, color="0.6", linewidth=1)
    axes.plot(values, color="0.75", marker="o", markersize=3)
    axes.plot(values.mean(axis=1), color="black", marker="o", linewidth=2)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_title(title, fontsize=10)
plt.show()

# %% [markdown]
# A mean over four seeds has an error of its own, the standard error. With four seeds,
# do not count a difference of less than three standard errors as a result (97.5 % of a
# t distribution with 3 degrees of freedom lies below 3.2). One test image is 0.2 points
# of accuracy.


# %%
def difference(key, name, other, form):
    """Mean over the seeds of a difference of two methods, and its standard error."""
    values = scores[name][key] - scores[other][key]
    error = values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():{form}} (error {error:{form.strip('+')}})"


for name in names:
    gain = difference("accuracy", name, "single network", "+.2f")
    loss = difference("calibrated_nll", name, "single network", "+.3f")
    print(f"{name:12} accuracy {gain}, NLL_c {loss}")

# %% [markdown]
# No method exceeds that threshold in accuracy or in NLL_c. Four training runs of a
# network this small cannot show whether it gains from a second head. They do show one
# difference: between boxes in half of the batches and boxes in all batches.
#
# ## Accuracy against diversity: p once more
#
# Linear-MixMo is Cut-MixMo with p = 0, so three of the methods form a sweep over p. The
# paper's Fig. 7 shows such a sweep. On CIFAR-100 diversity grows with p. The
# subnetworks are best at p of 0.5 to 0.6 and get worse at larger p.

# %%
sweep = {}
for p, name in ((0, "Linear"), (0.5, "Cut, p = 0.5"), (1, "Cut, p = 1")):
    means = {key: values.mean() for key, values in scores[name].items()}
    sweep[p] = {
        "accuracy": means["accuracy"] / 100,
        "subnetwork_accuracy": means["member"] / 100,
        "ratio_error": means["ratio_error"],
    }
figure, _ = diversity_accuracy({"MixMo": sweep}, "p")
display(figure)
for other in ("Linear", "Cut, p = 0.5"):
    for key in ("member", "disagreement", "ratio_error"):
        found = difference(key, "Cut, p = 1", other, "+.2f")
        print(f"{key:12} of p = 1 above {other:12}: {found}")

# %% [markdown]
# With boxes in all batches, each subnetwork is less accurate by much more than the
# standard error, and the two subnetworks disagree more. This is the gap between
# training and inference that a smaller p closes. Between p = 0 and 0.5 this experiment
# shows no clear difference; in particular, it shows no harm from p = 0.5.
#
# ## Room for two
#
# Two subnetworks must fit into one network. The paper's networks have spare capacity,
# and its Table 9 shows what happens without it. The table below gives the accuracy of
# WRN-28-w on CIFAR-100 in percent. WRN-28-w has 36.5 million parameters for w = 10 and
# 1.5 million for w = 2. The network of this tutorial has 0.08 million. (The library
# contains the tables of the papers.)

# %%
reported = {row.row: row.value("accuracy") for row in published_rows("MixMo Table 9:*")}
approaches = {
    "single network": "vanilla, N = 1",
    "two single networks": "vanilla, N = 2",
    "Linear-MixMo": "linear-mixmo, N = 1",
    "Cut-MixMo": "cut-mixmo, N = 1",
}
widths = (2, 3, 4, 5, 7, 10)
lines = ["|w|" + "|".join(map(str, widths)) + "|", "|---" * (len(widths) + 1) + "|"]
for name, approach in approaches.items():
    cells = [f"{reported[f'w = {w}, {approach}']:.1f}" for w in widths]
    lines.append(f"|{name}|{'|'.join(cells)}|")
display(Markdown("\n".join(lines)))

# %% [markdown]
# With w = 2 the single network is better than both variants of MixMo. With w = 4
# Cut-MixMo matches two networks, and at larger widths it is better than they are.
#
# ## On CIFAR
#
# Set `NAME, COUNT = "cifar100", None` above to run this tutorial on CIFAR-100, with the
# same tiny network and without augmentation. The paper's training is available as a
# recipe. It uses WRN-28-10 with b = 4, 300 epochs, crops and flips, a warm-up and a
# stepwise learning rate:
#
#     keras-mixvit show cut-mixmo
#     keras-mixvit train cut-mixmo --data-dir DIR
#
# There are also recipes for `mimo`, `linear-mixmo`, `cut-mixmo-cutmix` and all other
# methods in the paper's tables. They need a GPU. Use `--scale`, `--width-scale` and
# `--data-share` to make them smaller.
#
# ## What you learned
#
# * A MixMo network has M stems, a shared body and M heads. It costs hardly more than a
#   single network. At inference it adds the outputs of the stems and needs one pass.
# * MIMO, Linear-MixMo and Cut-MixMo differ only in the masks of the data set. The
#   factor M keeps their mixtures on the scale of the sum at inference.
# * p is the share of batches with boxes. It falls to 0 over the last twelfth of
#   training. Without linear batches the subnetworks become worse.
# * r controls how much the loss of the image with the smaller share counts. The weights
#   use the actual shares, not the sampled ratio.
# * b repeats every image in its batch with different partners, at b times the cost.
# * On digits, with networks this small, the differences in accuracy between the methods
#   and the single network are within the errors. Compare several seeds, seed by seed,
#   and report the error.
#
# **Next:** [Uncertainty](06_uncertainty.ipynb) evaluates such networks beyond accuracy
# and finds a difference that is larger than its error. [Mixing and
# masks](02_mixing_and_masks.ipynb) covers other masks. [Your own
# data](07_your_own_data.ipynb) covers training on your own images.
