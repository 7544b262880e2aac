# %% [markdown]
# # Mixing and masks
#
# This tutorial shows which input a network sees at each position, and how much each of
# its losses counts. You draw, mix and measure every family of masks of MIMO, MixMo and
# MixViT.
#
# **You need** the first tutorial, [MixViT in ten
# minutes](01_mixvit_in_ten_minutes.ipynb), or its glossary. The tutorial trains
# nothing, and all cells together run in less than a minute.

# %%
# %matplotlib inline
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import matplotlib.pyplot as plt
import numpy as np

from keras_mixvit import ConViT, MixMo, MixViT, load, masks, mixed_pair_dataset
from keras_mixvit.analysis import (
    mask_families,
    mask_gallery,
    mixed_samples,
    weighting_curves,
)

# %% [markdown]
# ## One sum
#
# Every method of this library mixes the M inputs of a sample with one sum,
#
# $$\text{mixed} = s \sum_{m} \text{mask}_m \odot \text{input}_m ,$$
#
# where the masks are shares: at each position of the grid they sum to 1 over the
# inputs. The methods differ in only three ways.
#
# | method | what is mixed | $s$ | masks |
# |---|---|---|---|
# | MIMO | features of M stems | M | 1/M everywhere |
# | Linear-MixMo | features of M stems | M | one share per input |
# | Cut-MixMo | features of M stems | M | a box of one input, the rest of another |
# | MixViT | pixels | 1 | whole patches of one input or another |
#
# A data set of mixed pairs draws the masks together with the images. The next cell
# makes one from the digits, which are part of the package, with MixViT's patches of 2 x
# 2 pixels:

# %%
train = load("digits", "train")  # or load("cifar10", "train"), with patches of 4
sampler = masks.PatchCutMix(patch_size=2)
pairs = mixed_pair_dataset(train.images, train.labels, sampler, epochs=12, seed=3)
inputs, labels = pairs[0]
for name, array in {**inputs, "labels": labels}.items():
    print(f"{name:7}", array.shape, array.dtype)

# %% [markdown]
# The batch contains B = 128 samples of M = 2 images with H x W = 8 x 8 pixels and C = 1
# channel. For each image it contains a mask on the grid h x w = 4 x 4 of patches, and a
# label. The images are not mixed yet. The first layer of the network mixes them, and
# you can write that layer in two lines of NumPy:

# %%
backbone = ConViT((8, 8, 1), patch_size=2, width=16, num_heads=4, num_blocks=1)
mixvit = MixViT(backbone, num_classes=10)
mixed, _ = mixvit.mixing(inputs["images"], inputs["masks"])

shares = inputs["masks"].repeat(2, axis=2).repeat(2, axis=3)  # from patches to pixels
by_hand = (shares[..., None] * inputs["images"]).sum(axis=1)
print("largest difference:", np.abs(keras.ops.convert_to_numpy(mixed) - by_hand).max())

# %% [markdown]
# `mixed_samples` plots the first samples of a data set: the two images with their
# labels and ratios, the masks in the colours of the images, and the mixture.

# %%
figure, _ = mixed_samples(pairs, mixvit.mixing, train.class_names)
figure

# %% [markdown]
# The network sees the patches of each image that have the colour of that image. Where
# one mask covers everything, the other image is not visible at all. Its ratio is 0, and
# so is the weight of its loss.
#
# MixMo mixes the features of two stems, so there is no such mixed image. The features
# at a position come from a small neighbourhood of pixels around it, so the figure draws
# each image with a brightness equal to its share. MixMo's masks are on the grid of the
# stem's output: patches for a ConViT, pixels for a residual network.

# %%
mixmo = MixMo(backbone, num_classes=10)
linear = mixmo.mask_sampler("linear_mixmo")
pairs = mixed_pair_dataset(train.images, train.labels, linear, epochs=12, seed=3)
figure, _ = mixed_samples(pairs, None, train.class_names)
figure

# %% [markdown]
# ## From a box to patches
#
# MixViT draws a ratio $\lambda \sim \text{Beta}(\alpha, \alpha)$ and a centre, and
# places a CutMix box there, in pixels. A vision transformer cuts its image into
# patches, and a patch on the border of the box would blend two images. The paper's
# *corrected CutMix* (Appendix H) gives the whole patch to the image that covers most of
# it. If both images cover half, one fair coin per sample decides. The next cells show
# the steps on an image of 32 x 32 pixels with patches of 4:

# %%
ratio, center = np.array([0.25]), (np.array([13.0]), np.array([18.0]))
size, patch = (32, 32), 4
pixels = masks.box_coverage(ratio, center, size, patch_size=1)[0]
covered = masks.box_coverage(ratio, center, size, patch)[0]
tails, heads = (
    masks.patch_majority(covered[None], np.array([coin]), patch)[0]
    for coin in (0.0, 1.0)
)
print("ratio drawn:           ", ratio[0])
print("ratio of the box:      ", pixels.mean())
print("ratio by majority:     ", tails.mean(), "or", heads.mean())
print("patches covered by half:", int((covered == patch**2 / 2).sum()))

# %%
steps = {
    "the box, in pixels": pixels,
    "share of each patch": covered / patch**2,
    "majority, ties to the rest": tails,
    "majority, ties to the box": heads,
}
figure, panels = plt.subplots(1, 4, figsize=(9, 2.6), dpi=80, layout="constrained")
for axes, (title, values) in zip(panels, steps.items(), strict=True):
    axes.imshow(values, cmap="viridis", vmin=0, vmax=1, extent=(0, 32, 32, 0))
    axes.set(xticks=range(0, 33, 8), yticks=range(0, 33, 8))
    axes.set_title(title, fontsize=9)
    for line in range(0, 33, patch):
        axes.axhline(line, color="white", linewidth=0.4)
        axes.axvline(line, color="white", linewidth=0.4)
plt.show()

# %% [markdown]
# The second panel is what `PatchCutMix(..., binarize=False)` uses, the paper's
# *averaged masks*. The paper finds that it is hard for subnetworks to share a token,
# and therefore uses the majority.
#
# ## Every family
#
# `mask_families` returns a sampler of each family, and `mask_gallery` plots their
# masks. Every mask is drawn as in training. The numbers above a mask are its ratios in
# percent.

# %% tags=["picture"]
figure, drawn = mask_gallery(mask_families(), image_size=(32, 32), count=8)
figure

# %% [markdown]
# | row | sampler | rule | in the papers |
# |---|---|---|---|
# | sum (MIMO) | `ConstantMasks` | 1/M everywhere | MIMO |
# | linear | `LinearMasks` | one share per input, Dirichlet | Linear-MixMo |
# | left, right; above, below | `ConcatenationMasks` | a line | MixMo, Table 2 |
# | PatchUp | `PatchUpMasks` | squares of 7 x 7, at random | MixMo, Table 2 |
# | FMix | `FMixMasks` | the high places of filtered noise | MixMo, Table 2 |
# | CowMask | `CowMasks` | the low places of smooth noise | MixMo, Table 2 |
# | CutMix | `CutMixMasks` | a box | the binary half of Cut-MixMo |
# | CutMix, linear | `BinaryOrLinear` | one or the other, per batch | Cut-MixMo |
# | patches | `PatchCutMix` | a box, decided per patch | MixViT |
# | patch means | `PatchCutMix(..., binarize=False)` | its averages | MixViT, App. H |
#
# Masks come from the data set and not from the network: with the same seed, the same
# batch contains the same masks on every backend. You can also draw from a sampler
# directly, with a NumPy generator:

# %%
rng = np.random.default_rng(0)
for name, sampler in mask_families().items():
    found = sampler.draw(rng, 256, (32, 32))
    is_binary = np.isin(found, (0, 1)).all()
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    print(f"{name:14} {found.shape}  binary: {is_binary}")

# %% [markdown]
# ## Ratios: what was drawn is not what is seen
#
# The box has the area $\lambda$, but it is clipped where it extends beyond the image.
# The actual share of its owner is therefore smaller than $\lambda$ in most draws. Two
# rules prevent this from causing a bias:
#
# * the *ratio* of an input is the mean of its mask, never the $\lambda$ that was drawn,
#   so the weight of a loss matches what is visible of its input;
# * the owner of the box is also drawn at random, once per batch.
#
# The next cell measures 20,000 boxes with the $\alpha$ of each paper:


# %%
def ratios_of(sampler, batches=400, batch_size=50, progress=0.0):
    """Ratios `(n, M)` of the inputs in many batches."""
    rng = np.random.default_rng(0)
    draws = [sampler.draw(rng, batch_size, (32, 32), progress) for _ in range(batches)]
    return np.concatenate([draw.mean(axis=(2, 3)) for draw in draws])


rng = np.random.default_rng(0)
centers = [rng.integers(32, size=20_000) for _ in range(2)]
for name, alpha, patch in (("Cut-MixMo", 2.0, 1), ("MixViT", 0.5, 4)):
    lambdas = rng.beta(alpha, alpha, 20_000)
    boxes = masks.box_coverage(lambdas, centers, (32, 32), patch) / patch**2
    print(f"{name}: mean lambda {lambdas.mean():.3f},", end=" ")
    print(f"mean share of the box {boxes.mean():.3f},", end=" ")
    print(f"smaller than lambda in {(boxes.mean(axis=(1, 2)) < lambdas).mean():.0%}")

# %%
samplers = {
    "Cut-MixMo, box": masks.CutMixMasks(alpha=2.0),
    "Linear-MixMo": masks.LinearMasks(alpha=2.0),
    "MixViT": masks.PatchCutMix(4, alpha=0.5),
}
found = {name: ratios_of(sampler) for name, sampler in samplers.items()}
for name, ratios in found.items():
    mean, spread = ratios.mean(axis=0), ratios[:, 0].std()
    hidden = (ratios.min(axis=1) == 0).mean()
    print(f"{name:15} mean ratio {mean[0]:.2f}, {mean[1]:.2f}", end="  ")
    print(f"standard deviation {spread:.2f}  an input is hidden in {hidden:.1%}")

# %% [markdown]
# The boxes are much smaller than the drawn ratios. Each input still has a share of
# about one half on average, because each owns the box equally often. In a binary
# mixture one input may be hidden. This happens more often on a patch grid, where a
# small box can cover less than half of every patch.

# %%
figure, panels = plt.subplots(
    1, 3, figsize=(9, 2.4), dpi=80, layout="constrained", sharey=True
)
for axes, (name, ratios) in zip(panels, found.items(), strict=True):
    axes.hist(ratios[:, 0], bins=20, range=(0, 1), color="#0072B2", density=True)
    axes.set(title=name, xlabel="ratio of input 0")
panels[0].set_ylabel("density")
plt.show()

# %% [markdown]
# ## How each loss is weighted
#
# The loss of a mixed sample is a weighted sum of one cross-entropy per subnetwork.
# MixViT weights each one by the ratio of its input (Eq. 1). MixMo rebalances the
# weights (Eq. 5),
#
# $$w_r(\kappa_m) = M \frac{\kappa_m^{1/r}}{\sum_j \kappa_j^{1/r}} ,$$
#
# with r = 3. The larger r is, the more a subnetwork learns from an input that is barely
# visible. With r = 1 the weights are MixViT's, up to the constant M.

# %%
print("ratios        r = 1          r = 3          r infinite")
for ratio in (0.5, 0.3, 0.1, 0.02, 0.0):
    pair = np.array([ratio, 1 - ratio])
    rows = [masks.loss_weighting(pair, r) for r in (1, 3, np.inf)]
    numbers = "    ".join(f"{w[0]:.2f}, {w[1]:.2f}" for w in rows)
    print(f"{pair[0]:.2f}, {pair[1]:.2f}    {numbers}")

# %%
figure, _ = weighting_curves()
figure

# %% [markdown]
# A model turns masks into weights itself, in its `train_step`. Keras takes the mean
# over samples *and* subnetworks, but the papers sum over subnetworks. The weights
# include the missing factor M: MixViT's sum to M = 2, and MixMo's sum to 4.

# %%
ratios = keras.ops.convert_to_tensor([[0.5, 0.5], [0.3, 0.7], [0.02, 0.98]])
for name, model in {"MixViT": mixvit, "MixMo, r = 3": mixmo}.items():
    weights = keras.ops.convert_to_numpy(model.loss_weights(ratios))
    print(f"{name}:\n{weights.round(2)}  sums {weights.sum(axis=1).round(2)}")

# %% [markdown]
# ## The last twelfth of a training
#
# At inference nothing is mixed. To prepare the network for this, both papers change the
# masks over the last twelfth of the epochs. MixViT shows a growing share of samples
# that are one whole image. MixMo uses fewer and fewer boxes, until every batch is
# linear. The data set passes `progress`, the epoch divided by the number of epochs, to
# the sampler. The next cell measures the effect over many draws:

# %%
cut_mixmo = masks.BinaryOrLinear(masks.CutMixMasks())
patches = masks.PatchCutMix(4)
print("epoch of 120   one whole image   batches with a box")
for epoch in (1, 60, 110, 113, 116, 119, 120):
    progress = epoch / 120
    whole = (ratios_of(patches, progress=progress).max(axis=1) == 1).mean()
    rng = np.random.default_rng(1)
    draws = [cut_mixmo.draw(rng, 4, (32, 32), progress) for _ in range(2000)]
    binary = np.mean([np.isin(draw, (0, 1)).all() for draw in draws])
    print(f"{epoch:12}   {whole:15.1%}   {binary:18.1%}")

# %% [markdown]
# Before the last twelfth, the whole images in the second column come from boxes that
# cover no patch, or all of them.
#
# ## More than two inputs
#
# With M > 2 MixMo gives the box to one input and mixes the others linearly in the rest
# (Eq. 7). MixViT draws two of the M inputs for each mixture, so that every patch shows
# one (Appendix B).

# %%
three = mask_families(num_subnetworks=3)
chosen = {name: three[name] for name in ("linear", "CutMix", "patches")}
figure, drawn = mask_gallery(chosen, count=8, seed=1)
figure

# %%
for name, found in drawn.items():
    visible = (found.mean(axis=(2, 3)) > 0).sum(axis=1)
    print(f"{name:8} inputs to be seen per sample: {visible.tolist()}")

# %% [markdown]
# ## A family of your own
#
# A sampler has `patch_size`, `num_subnetworks` and `draw`. The sampler below cuts along
# a diagonal through a random point. It takes all randomness from the `rng` that the
# data set passes, so that its batches are reproducible.


# %%
class DiagonalMasks(masks.MaskSampler):
    """Above a falling diagonal one input, below it the other."""

    num_subnetworks = 2

    def __init__(self, patch_size):
        self.patch_size = patch_size

    def draw(self, rng, batch_size, image_size, progress=0.0):
        height, width = self.grid_shape(image_size)
        rows, columns = np.arange(height)[:, None], np.arange(width)
        offset = rng.integers(-height // 2, height // 2 + 1, (batch_size, 1, 1))
        above = columns - rows > offset
        if rng.integers(2):  # Who is above is drawn once per batch, fairly.
            above = ~above
        return np.stack([above, ~above], axis=1).astype("float32")


mine = DiagonalMasks(patch_size=2)
pairs = mixed_pair_dataset(train.images, train.labels, mine, epochs=12, seed=3)
figure, arrays = mixed_samples(pairs, mixvit.mixing, train.class_names)
figure

# %% [markdown]
# You can use it like any other sampler: pass it to `mixed_pair_dataset`, and pass that
# data set to `fit`. The data set checks what the network relies on: shares in [0, 1]
# that sum to 1.

# %%
mean = ratios_of(mine).mean(axis=0)
print("mean ratios:", mean.round(3))


class BrokenMasks(DiagonalMasks):
    def draw(self, *arguments):
        return 0.9 * super().draw(*arguments)


broken = mixed_pair_dataset(train.images, train.labels, BrokenMasks(2), epochs=1)
try:
    broken[0]
except ValueError as error:
    print("refused:", error)

# %% [markdown]
# ## What you learned
#
# * MIMO, MixMo and MixViT mix with one sum. They differ in what they mix, in a scale,
#   and in the family of masks.
# * MixViT decides its box patch by patch, so that every token belongs to one image.
# * A ratio is the mean of the actual mask. Boxes are clipped at the border and smaller
#   than drawn. Because the owner is drawn fairly, every input has the share 1/M on
#   average.
# * Ratios become loss weights, linearly in MixViT and flattened by r in MixMo.
# * The last twelfth of training prepares the network for whole images.
# * A family of masks is one class with one method.
#
# **Next:** [MixViT from its layers](03_mixvit_from_its_layers.ipynb) builds the network
# that reads these masks. [The train step](04_the_train_step.ipynb) follows the weights
# into the loss.
