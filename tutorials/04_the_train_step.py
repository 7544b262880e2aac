# %% [markdown]
# # The train step
#
# In this tutorial you repeat by hand, in NumPy, what `fit` computes on a mixed pair.
# You see why one `train_step` of two lines works on JAX, TensorFlow and PyTorch, and
# you learn three ways to write your own.
#
# **You need** Keras, and [MixViT in ten minutes](01_mixvit_in_ten_minutes.ipynb). All
# cells run in about a minute, on any of the three backends.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import inspect

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

from keras_mixvit import ConViT, MixMo, MixViT, load, mixed_pair_dataset

to_numpy = ops.convert_to_numpy
print("backend:", keras.config.backend())

# %%
train, val, test = (load("digits", split) for split in ("train", "val", "test"))
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


keras.utils.set_random_seed(0)
model = MixViT(backbone(), num_classes=10)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

# %% [markdown]
# ## One loss with two targets
#
# A mixed pair shows two images, $x_0$ with the share $\lambda$ and $x_1$ with the share
# $1 - \lambda$. Head m predicts the label of image m. The loss is (MixViT, Eq. 1)
#
# $$\mathcal{L} = \lambda\, l_{CE}(y_0, p_0) + (1 - \lambda)\, l_{CE}(y_1, p_1) .$$
#
# Take a data set with a single batch of 100 pairs, so that nothing is averaged over
# batches later. `training_network` is the graph inside the model that maps mixed pairs
# to logits. It has no dropout here, so its predictions are the ones that the train step
# uses:

# %%
some = train.images[:100], train.labels[:100]
pairs = mixed_pair_dataset(*some, model.mask_sampler(), epochs=1, batch_size=100)
inputs, labels = pairs[0]
logits = model.training_network.predict(inputs, batch_size=100, verbose=0)
print("masks", inputs["masks"].shape, "labels", labels.shape, "logits", logits.shape)

ratios = inputs["masks"].mean(axis=(2, 3))  # lambda and 1 - lambda
probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
of_label = np.take_along_axis(probabilities, labels[..., None], axis=-1)[..., 0]
cross_entropy = -np.log(of_label)  # (B, M)
by_hand = (ratios * cross_entropy).sum(axis=1).mean()
print(f"Eq. 1, mean over the batch: {by_hand:.6f}")

# %% [markdown]
# Now compute the same loss with Keras. Its losses accept labels (B, M) with logits (B,
# M, K) directly, and sample weights (B, M). Only one thing differs: Keras takes the
# mean over all B M numbers, while the paper takes the *sum* over the two subnetworks.
# The weights include this factor: they are M times the ratios.

# %%
M = model.num_subnetworks
weights = M * ratios
assert np.allclose(to_numpy(model.loss_weights(ops.convert_to_tensor(ratios))), weights)
value = loss(labels, ops.convert_to_tensor(logits), ops.convert_to_tensor(weights))
print(f"Keras's loss: {float(value):.6f}")

# %% [markdown]
# Next, use `fit`, which receives pairs and no weights. Plain gradient descent with a
# learning rate of 1 makes it easy to follow the update of a parameter. The accuracy is
# weighted too, because a label should hardly count if its image is hardly visible.

# %%
bias_before = to_numpy(model.heads.bias)
model.compile(keras.optimizers.SGD(1.0), loss, weighted_metrics=["accuracy"])
history = model.fit(pairs, verbose=2).history

right = logits.argmax(axis=-1) == labels
accuracy = (weights * right).sum() / weights.sum()
print(f"fit:      loss {history['loss'][0]:.6f}  accuracy {history['accuracy'][0]:.6f}")
print(f"by hand:  loss {by_hand:.6f}  accuracy {accuracy:.6f}")
assert abs(history["loss"][0] - by_hand) < 1e-5
assert abs(history["accuracy"][0] - accuracy) < 1e-5

# %% [markdown]
# `fit` also updated the parameters. You can easily write down the gradient for the
# biases of the heads: the derivative of a cross-entropy with respect to its logits is
# the softmax minus the one-hot label.

# %%
one_hot = np.eye(10)[labels]
gradient = (weights[..., None] * (probabilities - one_hot)).mean(axis=0) / M
expected = bias_before - 1.0 * gradient
moved = to_numpy(model.heads.bias)
print(f"largest step of a bias:  {np.abs(moved - bias_before).max():.6f}")
print(f"largest difference from the step by hand: {np.abs(moved - expected).max():.1e}")
assert np.allclose(moved, expected, atol=1e-5)

# %% [markdown]
# MixMo uses the same loss with different weights (Eq. 3 and 5): the root r = 3
# increases the weight of an input that is hardly visible. `evaluate` on mixed pairs
# computes the training loss.

# %%
mixmo = MixMo(backbone(), num_classes=10, r=3.0)
mixmo.compile("sgd", loss)
mixmo_pairs = mixed_pair_dataset(*some, mixmo.mask_sampler(), epochs=1, batch_size=100)
x, y = mixmo_pairs[0]
log_p = to_numpy(ops.log_softmax(mixmo(x)))
entropies = -np.take_along_axis(log_p, y[..., None], axis=-1)[..., 0]
roots = x["masks"].mean(axis=(2, 3)) ** (1 / 3.0)
w_r = M * roots / roots.sum(axis=1, keepdims=True)
print(f"by hand:  {(w_r * entropies).sum(axis=1).mean():.6f}")
print(f"evaluate: {mixmo.evaluate(mixmo_pairs, verbose=0):.6f}")

# %% [markdown]
# The factor M compensates for the mean in Keras, so a loss with another reduction would
# not match the papers. The model rejects it:

# %%
try:
    model.compile("sgd", keras.losses.CategoricalCrossentropy(reduction="sum"))
except ValueError as error:
    print(error)

# %% [markdown]
# ## One step for three backends
#
# You usually write a custom `train_step` in Keras 3 three times, because each backend
# computes gradients in its own way.
#
# | backend | signature | gradient |
# |---|---|---|
# | TensorFlow | `train_step(self, data)` | `tf.GradientTape` |
# | PyTorch | `train_step(self, data)` | `loss.backward()` |
# | JAX | `train_step(self, state, data)`, returns the state | `jax.value_and_grad` |
#
# The library writes none of these. On the backend of this run:

# %%
print("Keras:  train_step" + str(inspect.signature(keras.Model.train_step)))
print("MixViT: train_step" + str(inspect.signature(MixViT.train_step)), end="\n\n")
print(inspect.getsource(MixViT.train_step))

# %% [markdown]
# `data` is what the data set yields, and it is the last argument on every backend.
# `_weighted` turns its masks into sample weights, with `keras.ops`. Keras's own step
# does the rest: forward pass, loss, gradient, optimizer, metrics. Therefore
# `jit_compile`, gradient accumulation, moving averages of the weights, loss scaling,
# callbacks and distribution need no extra code in the library.
#
# The randomness is in the data set, which draws pairs and masks in NumPy. All backends
# therefore see the same batches. The only random state in the step is that of dropout
# and stochastic depth, and Keras manages it.
#
# **What Keras receives** is visible in `compute_loss`, which the step of every backend
# calls. A compiled step runs its Python code once, while it is traced. The next cell
# records the shapes at that point.


# %%
seen = {}


class Watched(MixViT):
    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        given = {"y": y, "y_pred": y_pred, "sample_weight": sample_weight}
        seen.update({name: getattr(v, "shape", None) for name, v in given.items()})
        return super().compute_loss(x, y, y_pred, sample_weight, training)


watched = Watched(backbone(), num_classes=10)
watched.compile("sgd", loss)
with_masks = watched.test_on_batch(inputs, labels)
for name, shape in seen.items():
    print(f"{name:13}", tuple(shape))

# %% [markdown]
# Nothing else is hidden. If you pass the weights to the functional graph inside the
# model, it gives the same loss as an ordinary Keras model:

# %%
plain = watched.training_network  # {"images", "masks"} -> (B, M, K)
plain.compile("sgd", loss)
print(f"plain Keras: {plain.test_on_batch(inputs, labels, sample_weight=weights):.6f}")
print(f"MixViT:      {with_masks:.6f}")

# %% [markdown]
# ## Your own step
#
# You can override three methods, listed here from the smallest change to the largest.
# You write each one once, for every backend.
#
# **`loss_weights`** sets the weights of the losses. With equal weights for all ratios:


# %%
class CountAlike(MixViT):
    def loss_weights(self, ratios):
        return ops.ones_like(ratios)


alike = CountAlike(backbone(), num_classes=10)
alike.compile("sgd", loss)
entropies = -np.take_along_axis(
    to_numpy(ops.log_softmax(alike(inputs))), labels[..., None], axis=-1
)
print(f"by hand:  {entropies.mean():.6f}")
print(f"evaluate: {alike.evaluate(pairs, verbose=0):.6f}")

# %% [markdown]
# **`compute_loss`** has access to the logits and can add a term. Small classifiers are
# often overconfident. The *confidence penalty* of Pereyra et al. (2017) subtracts a
# multiple of the entropy of the predictions:


# %%
class ConfidencePenalty(MixViT):
    """MixViT that is paid for unsure predictions, in training only."""

    strength = 0.1

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        value = super().compute_loss(x, y, y_pred, sample_weight, training)
        if training:
            log_p = ops.log_softmax(y_pred)
            entropy = -ops.sum(ops.exp(log_p) * log_p, axis=-1)
            value = value - self.strength * ops.mean(entropy)
        return value


penalised = ConfidencePenalty(backbone(), num_classes=10)
penalised.compile("sgd", loss)
p = ops.convert_to_tensor(probabilities)
given = (inputs, ops.convert_to_tensor(labels), ops.log(p), weights.astype("float32"))
entropy = -(probabilities * np.log(probabilities)).sum(axis=-1).mean()
print(f"by hand:      {by_hand - 0.1 * entropy:.6f}")
print(f"compute_loss: {float(penalised.compute_loss(*given)):.6f}")

# %% [markdown]
# **`train_step`** can change the data before the step. If you pass on weights of shape
# (B, M), they are multiplied by the weights from the masks. Here a subnetwork learns
# nothing from an image that covers less than a quarter of the mixture:


# %%
class VisibleOnly(MixViT):
    """MixViT that leaves out labels of images that are hardly to be seen."""

    def train_step(self, *args):
        *state, data = args
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        ratios = ops.mean(x["masks"], axis=(2, 3))
        visible = ops.cast(ratios >= 0.25, "float32")
        return super().train_step(*state, (x, y, visible))


# %% [markdown]
# You train it like any other model. To find out whether a variation helps, use several
# seeds. Here you use three, and for each seed both classes start from the same initial
# weights and see the same pairs. The compiled step of a model serves all its seeds; you
# reset only the weights and the optimizer's variables.


# %%
def train_seeds(cls, seeds=3, epochs=40):
    """Accuracy and NLL on the test set after each of several trainings."""
    model = cls(backbone(), num_classes=10)
    optimizer = keras.optimizers.AdamW(4e-3, weight_decay=0.05)
    model.compile(optimizer, loss, metrics=["accuracy"])
    optimizer.build(model.trainable_variables)
    no_past = [to_numpy(variable) for variable in optimizer.variables]
    scores = []
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        model.set_weights(cls(backbone(), num_classes=10).get_weights())
        for variable, value in zip(optimizer.variables, no_past, strict=True):
            variable.assign(value)
        sampler = model.mask_sampler()
        data = (train.images, train.labels, sampler)
        pairs = mixed_pair_dataset(*data, epochs=epochs, batch_size=100, seed=seed)
        model.fit(pairs, verbose=0)
        nll, accuracy = model.evaluate(test.images, test.labels, 500, verbose=0)
        scores.append((accuracy, nll))
    return np.array(scores)


scores = {cls.__name__: train_seeds(cls) for cls in (MixViT, VisibleOnly)}

# %%
print("three seeds   test accuracy         test NLL")
for name, values in scores.items():
    (accuracy, nll), (spread, nll_spread) = values.mean(axis=0), values.std(axis=0)
    print(f"{name:12} {accuracy:7.1%} ± {spread:.1%}   {nll:7.3f} ± {nll_spread:.3f}")

better = scores["VisibleOnly"][:, 0] > scores["MixViT"][:, 0]
print(f"VisibleOnly is more accurate in {better.sum()} of {len(better)} seeds.")

# %% tags=["picture"]
figure, (left, right) = plt.subplots(
    1, 2, figsize=(8, 2.9), dpi=90, layout="constrained", width_ratios=(3, 4)
)
share = np.linspace(0, 1, 201)
cube = share ** (1 / 3)
left.plot(share, 2 * share, label="MixViT")
left.plot(share, 4 * cube / (cube + cube[::-1]), label="MixMo, r = 3")
left.plot(share, np.where(share >= 0.25, 2 * share, 0), "--", label="VisibleOnly")
left.set(xlabel="ratio of the input", ylabel="sample weight", xlim=(0, 1), ylim=(0, 4))
left.legend(frameon=False, fontsize=8)
for place, values in enumerate(scores.values()):
    right.plot(100 * values[:, 0], [place] * len(values), "o", color="#0072B2")
    right.plot(100 * values[:, 0].mean(), place, "|", color="black", markersize=16)
right.set_yticks(range(len(scores)), list(scores))
right.set(xlabel="test accuracy of each seed and their mean (%)", ylim=(-0.5, 1.5))
right.invert_yaxis()
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# The test set has 500 images, so one of them is 0.2 points. Compare the difference
# between the rows with the spread within a row before you trust it.
#
# ## What `val_accuracy` measures
#
# `evaluate`, `predict` and `validation_data` take plain images and use the *ensemble*:
# the mean of the logits of the subnetworks. The training loss above, on mixed pairs,
# and a validation loss are therefore different quantities, and the validation loss may
# well be lower.

# %%
model.compile("sgd", loss, metrics=["accuracy"])
subnetworks = model.inference_network.predict(val.images, verbose=0)
predicted = subnetworks.mean(axis=1).argmax(axis=-1)
_, accuracy = model.evaluate(val.images, val.labels, verbose=0)
print("subnetwork logits:", subnetworks.shape)
print(f"by hand: {(predicted == val.labels).mean():.6f}, evaluate: {accuracy:.6f}")

# %% [markdown]
# ## What you learned
#
# * A step on a mixed pair uses Keras's cross-entropy with labels (B, M), logits (B, M,
#   K) and weights of M times the ratios. NumPy gives the same loss, accuracy and
#   parameter update.
# * The step passes weights to `super().train_step` and leaves the rest to Keras, so it
#   works on all three backends.
# * Override `loss_weights`, `compute_loss` or `train_step` for your variations. Use
#   `keras.ops`, and you need no branch for any backend.
#
# **Next:** [Cut-MixMo on convolutional networks](05_cut_mixmo_on_cnns.ipynb) trains the
# other family of MIMO networks.
