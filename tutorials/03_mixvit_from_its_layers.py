# %% [markdown]
# # MixViT from its layers
#
# In this tutorial you build MixViT by hand, as a functional Keras model made of this
# library's layers. You show that it equals `MixViT` in training and inference, and you
# see why its subnetworks are almost free.
#
# **You need** the functional API of Keras, and the terms mask, source attribution and
# parallel inference from [MixViT in ten minutes](01_mixvit_in_ten_minutes.ipynb). All
# cells run in about a minute.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

from keras_mixvit import ConViT, MixViT, SingleNetwork, layers, load, mixed_pair_dataset
from keras_mixvit.costs import flops

keras.utils.set_random_seed(0)
to_numpy = ops.convert_to_numpy

# %% [markdown]
# ## What comes in
#
# The input is a batch of mixed pairs: B = 64 samples of M = 2 images, and for each
# image a mask on the 4 x 4 grid of patches. The masks are one-hot over M: each patch
# belongs to one of the two images.

# %%
train, val = load("digits", "train"), load("digits", "val")
mean, std = train.statistics()
M, K, PATCH, WIDTH, HEADS = 2, 10, 2, 32, 4

options = {"patch_size": PATCH, "width": WIDTH, "num_heads": HEADS, "num_blocks": 2}
backbone = ConViT((8, 8, 1), **options, mean=mean, std=std)
mixvit = MixViT(backbone, num_classes=K, num_subnetworks=M)
pairs = mixed_pair_dataset(
    train.images, train.labels, mixvit.mask_sampler(), epochs=1, batch_size=64
)
inputs, labels = pairs[0]
print({name: array.shape for name, array in inputs.items()}, labels.shape)
assert np.isin(inputs["masks"], (0, 1)).all()

# %% [markdown]
# ## Three stages
#
# A backbone of this library consists of three functional models. They pass a grid of
# tokens, (B, h, w, d), from one to the next.
#
#     images --stem--> grid --body--> grid --trunk--> features --heads--> logits
#
# The **stem** first normalises the pixels. It then embeds each patch linearly into a
# token.

# %%
images = keras.Input((8, 8, 1), name="images")
scale, offset = 1 / np.array(std), -np.array(mean) / std
normalized = keras.layers.Rescaling(scale.tolist(), offset.tolist())(images)
grid = layers.PatchEmbedding(WIDTH, PATCH)(normalized)
stem = keras.Model(images, grid, name="stem")
print("stem: ", images.shape, "->", grid.shape)

# %% [markdown]
# The **body** adds a position embedding to each token and runs the self-attention
# blocks. A ConViT uses gated positional self-attention: each head blends attention by
# content with attention by position. The body is the expensive part. It does not depend
# on the subnetworks: it sees one grid, mixed or not.

# %%
grid_in = keras.Input(stem.output.shape[1:], name="grid")
grid = layers.PositionEmbedding()(grid_in)
for _ in range(2):
    grid = layers.TransformerBlock(layers.GatedPositionalAttention(HEADS))(grid)
body = keras.Model(grid_in, grid, name="body")
print("body: ", grid_in.shape, "->", grid.shape)

# %% [markdown]
# The **trunk** turns the grid into one vector. A class token attends to the tokens of
# the grid in two class-attention blocks, which update the class token and leave the
# grid unchanged. M **heads**, dense layers with a kernel (M, d, K), make M predictions.

# %%
grid_in = keras.Input(body.output.shape[1:], name="grid")
token = layers.ClassToken()(grid_in)
for _ in range(2):
    attention = layers.ClassAttention(HEADS, qkv_bias=False)
    token = layers.ClassAttentionBlock(attention)(token, grid_in)
features = keras.layers.LayerNormalization(epsilon=1e-6)(token)
trunk = keras.Model(grid_in, features, name="trunk")
heads = layers.SubnetworkHeads(K, M)
print("trunk:", grid_in.shape, "->", features.shape)

# %% [markdown]
# So far this is a vision transformer with class attention and a second head.
#
# ## The training network
#
# Two layers make it a MixViT. `BinarizedPatchCutMix` mixes the M images into one, using
# the masks in its input. `SourceEmbedding` has one vector per source. It adds to each
# token the vector of the image that the patch came from (Eq. 3). It comes *after* the
# body, so only the trunk knows which token belongs to which image.

# %%
mixing = layers.BinarizedPatchCutMix(PATCH)
attribution = layers.SourceEmbedding(M)

pair = {
    "images": keras.Input((M, 8, 8, 1), name="images"),
    "masks": keras.Input((M, 4, 4), name="masks"),
}
mixed, shares = mixing(pair["images"], pair["masks"])
grid = body(stem(mixed))
sourced = attribution(grid, shares)
logits = heads(trunk(sourced))
training_network = keras.Model(pair, logits, name="training")

shapes = {"mixed": mixed, "grid": grid, "sourced": sourced, "logits": logits}
for name, tensor in shapes.items():
    print(f"{name:8}", tensor.shape)

# %% [markdown]
# The network maps 2 B images to B feature vectors and (B, M, K) logits: two predictions
# for the price of one forward pass. Head m predicts the label of image m.
#
# ## The inference network
#
# At inference there is one image and nothing to mix. Stem and body run once. Without
# masks, `SourceEmbedding` assigns *every* token to each source in turn and returns M
# grids. The trunk then processes each grid. If you place the M grids on the batch axis,
# they run at once. The paper calls this *parallel inference*.

# %%
image = keras.Input((8, 8, 1), name="images")
grids = attribution(body(stem(image)))
as_batch = ops.reshape(grids, (-1, *grids.shape[2:]))
features = ops.reshape(trunk(as_batch), (-1, M, WIDTH))
subnetworks = heads(features)
ensemble = ops.mean(subnetworks, axis=1)
inference_network = keras.Model(image, [subnetworks, ensemble], name="inference")

shapes = {"grids": grids, "features": features, "subnetworks": subnetworks}
for name, tensor in {**shapes, "ensemble": ensemble}.items():
    print(f"{name:11}", tensor.shape)

# %% [markdown]
# The two graphs share their layers, so training one also trains the other.
#
# ## Equal to `MixViT`
#
# `MixViT` contains the same stages under the same names. You copy its weights into your
# own model, stage by stage, and feed both models the same data.

# %%
attribution_and_heads = [(attribution, mixvit.attribution), (heads, mixvit.heads)]
stages = [(stem, mixvit.stem), (body, mixvit.body), (trunk, mixvit.trunk)]
for mine, theirs in stages + attribution_and_heads:
    mine.set_weights(theirs.get_weights())
print("parameters:", training_network.count_params(), "and", mixvit.count_params())


def difference(a, b):
    return float(np.abs(to_numpy(a) - to_numpy(b)).max())


in_training = difference(
    training_network(inputs, training=True), mixvit(inputs, training=True)
)
logits, mine = inference_network(val.images.astype("float32"))
in_inference = difference(mine, mixvit(val.images))
print(f"largest difference in training:  {in_training:.1e}")
print(f"largest difference in inference: {in_inference:.1e}")
print(f"of logits as large as {np.abs(to_numpy(logits)).max():.1f}")
assert max(in_training, in_inference) < 1e-4

# %% [markdown]
# `MixViT` adds to these graphs the training step that weights the losses, and the
# methods around it. [The train step](04_the_train_step.ipynb) explains that step in
# detail.
#
# ## Source attribution
#
# The attention in the body mixes the tokens of both images, so the trunk cannot know
# which features belong to which label. The paper has two ways to provide this
# information:
#
# * **source embedding** (Eq. 3): $t^* = t + \sum_m \text{mask}_m \odot b_m$;
# * **source encoding** (Eq. 2): $t^* = t + \sum_m \text{mask}_m \odot (t\,W_m + b_m)$.
#
# The next cell computes both in NumPy and compares them with the layers:

# %%
rng = np.random.default_rng(0)
tokens = rng.normal(size=(64, 4, 4, WIDTH)).astype("float32")
masks = inputs["masks"]

embedding, encoding = layers.SourceEmbedding(M), layers.SourceEncoding(M)
embedded, encoded = embedding(tokens, masks), encoding(tokens, masks)

(b,) = embedding.get_weights()
by_hand = tokens + sum(masks[:, m, ..., None] * b[m] for m in range(M))
print(f"Eq. 3: {difference(embedded, by_hand):.1e}")

W, b = encoding.get_weights()
by_hand = tokens.copy()
for m in range(M):
    by_hand += masks[:, m, ..., None] * (tokens @ W[m] + b[m])
print(f"Eq. 2: {difference(encoded, by_hand):.1e}")

encoding.set_weights([np.zeros_like(W), embedding.get_weights()[0]])
same = difference(encoding(tokens, masks), embedded)
print(f"encoding with W = 0 against embedding: {same:.1e}")
print("parameters:", embedding.count_params(), "and", encoding.count_params())

# %% [markdown]
# Source embedding is source encoding without the matrices: it has M d parameters
# instead of M d (d + 1).
#
# At initialization the sources are almost equal: the vectors are drawn with a standard
# deviation of 0.02, much smaller than that of the tokens. The network learns how much
# two subnetworks differ. The first tutorial measures this on digits, where they hardly
# differ. The paper reports that attribution improves its large network from 81.5 % to
# 82.4 % on CIFAR-100 (Table 6).
#
# Arguments of `MixViT` change where attribution happens. `attribution_position="early"`
# puts it before the first block of the body, so the body runs once per subnetwork.
# `source_attribution=None` removes it, so only the heads differ.
#
# ## Why subnetworks are nearly free
#
# Only the trunk runs once per subnetwork. A class-attention block has a single query,
# the query of the class token, $q = u_0 W_q$. The usual implementation computes a key
# and a value for each of the N tokens, which takes two products of N tokens with a d x
# d matrix. But for a head with the columns $W_k$ and $W_v$ of the two matrices,
#
# $$q\,(u W_k)^T = (q\,W_k^T)\,u^T ,\qquad a\,(u W_v) = (a\,u)\,W_v ,$$
#
# so you can apply the matrices to one vector instead of N. `ClassAttention` does this.
# It computes the same function with the same parameters. The next cell implements the
# usual form in NumPy:


# %%
def usual_class_attention(layer, token, grid):
    """Class attention that forms keys and values of all tokens."""
    W_q, W_k, W_v, W_o, b_o = (np.asarray(w, "float64") for w in layer.get_weights())
    u = np.concatenate([token[:, None], grid.reshape(len(grid), -1, WIDTH)], axis=1)

    def per_head(x):  # (B, T, d) -> (B, heads, T, d / heads)
        return x.reshape(*x.shape[:2], HEADS, -1).transpose(0, 2, 1, 3)

    q, k, v = per_head(u[:, :1] @ W_q), per_head(u @ W_k), per_head(u @ W_v)
    scores = q @ k.transpose(0, 1, 3, 2) / (WIDTH // HEADS) ** 0.5
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    pooled = (weights @ v).transpose(0, 2, 1, 3).reshape(len(grid), WIDTH)
    return pooled @ W_o + b_o


attention = layers.ClassAttention(HEADS, qkv_bias=False)
token = rng.normal(size=(64, WIDTH)).astype("float32")
attention.build(token.shape, tokens.shape)
attention.set_weights([rng.normal(size=w.shape) / 5 for w in attention.get_weights()])
absorbed = attention(token, tokens)
usual = usual_class_attention(attention, token, tokens)
print(f"largest difference {difference(absorbed, usual):.1e}", end=" ")
print(f"of values as large as {np.abs(usual).max():.1f}")
assert difference(absorbed, usual) < 1e-3

# %% [markdown]
# `flops` counts the operations of a model for one image, layer by layer. For the
# network that you built here:

# %%
print(flops(mixvit).table())

# %% [markdown]
# Now do the same for the paper's network: ConViT, 384 wide, 5 blocks and 2
# class-attention blocks, on images of 32 x 32 pixels. The usual class attention needs
# two more products with the tokens in each block and for each subnetwork; the cell adds
# them by hand. All values are relative to a single network with the usual form, which
# is the reference in the paper.

# %%
paper = ConViT((32, 32, 3))
single = flops(SingleNetwork(paper, 100))
N, d, blocks = 64, paper.width, paper.num_class_blocks
per_pass = {
    # Keys and values of all tokens, then scores and sums of one query.
    "usual": 2 * (N + 1) * d**2 + 2 * (N + 1) * d,
    # One product each with the query and the sum, scores and sums of d numbers
    # for each head.
    "absorbed": 2 * d**2 + 2 * (N + 1) * d * paper.num_heads,
}
more = 2 * blocks * (per_pass["usual"] - per_pass["absorbed"])
base = single.total.flops + more
print(f"single network, usual form: {base:,} FLOPs")
alone = single.total.flops / base
print(f"single network, as it is:   {alone:.3f}")

counts = {"usual, embedding": [1.0], "embedding": [alone], "encoding": [alone]}
members = (1, 2, 3, 4, 8)
for size in members[1:]:
    for kind in ("embedding", "encoding"):
        report = flops(MixViT(paper, 100, size, source_attribution=kind))
        counts[kind].append(report.total.flops / base)
    usual = counts["embedding"][-1] + size * more / base
    counts["usual, embedding"].append(usual)
for name, values in counts.items():
    cells = [f"M = {m}: {v:.3f}" for m, v in zip(members, values, strict=True)]
    print(f"{name:17}", "  ".join(cells))

# %% tags=["picture"]
figure, axes = plt.subplots(figsize=(6, 3.2), dpi=90, layout="constrained")
colours = ("0.5", "#0072B2", "#D55E00")
for (name, values), colour in zip(counts.items(), colours, strict=True):
    axes.plot(members, values, "o-", color=colour, label=name)
axes.axhline(1, color="black", linewidth=0.8)
axes.text(8, 1.01, "single network, usual class attention", ha="right", va="bottom")
axes.set(
    xlabel="subnetworks M",
    ylabel="FLOPs at inference, relative",
    xticks=members,
    ylim=(0.9, None),
)
axes.spines[["top", "right"]].set_visible(False)
axes.grid(axis="y", color="0.9")
axes.legend(frameon=False, title="MixViT", loc="upper left")
plt.show()

# %% [markdown]
# The paper estimates a factor of 1.1 for M = 2 with the usual form. With the products
# absorbed, two subnetworks cost less than one usual network. Each further subnetwork
# adds a head and class-attention blocks whose products involve only one token. With
# source encoding it also adds one d x d product per token.
#
# In training nothing runs twice: the trunk reads one grid of tokens with source
# attribution.

# %%
alone = flops(SingleNetwork(paper, 100), training=True).total.flops
two = flops(MixViT(paper, 100), training=True).total.flops / alone
print(f"a training pass, M = 2, relative to a single network: {two:.4f}")

# %% [markdown]
# ## What you learned
#
# * MixViT is a vision transformer in three stages, with mixing before the stem,
#   attribution before the trunk, and M heads. Two graphs share its layers.
# * Built by hand from public layers, it equals `MixViT` up to float32 rounding.
# * Source attribution adds one vector, or one linear map, per source to the tokens.
#   This lets the trunk know which image each token belongs to.
# * With one query, you never need to compute keys and values. This makes a further
#   subnetwork nearly free.
#
# **Next:** [The train step](04_the_train_step.ipynb) trains this network on any backend
# and shows how to change the way it learns.
