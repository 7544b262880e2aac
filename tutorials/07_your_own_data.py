# %% [markdown]
# # Your own data
#
# In this tutorial you train on a folder of images. You choose a recipe, a backbone and
# the initial weights, and you resume a training run that was killed.
#
# You need to know Keras, and what a subnetwork and a mixed pair are ([MixViT in ten
# minutes](01_mixvit_in_ten_minutes.ipynb)). The tutorial takes one to two minutes on
# two CPU cores, and needs the extras `data` (Pillow reads and writes the images) and
# `hub` (safetensors stores the weights):
#
#     pip install -e ".[jax,data,hub,tutorials]"

# %%
import os
import tempfile

os.environ.setdefault("KERAS_BACKEND", "jax")
# JAX keeps what it compiles here: the next training of a network compiles nothing.
os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp()

import json
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from keras_mixvit import MixViT, SingleNetwork, load, make_backbone, mixed_pair_dataset
from keras_mixvit.analysis import training_curves
from keras_mixvit.convert import timm_weights
from keras_mixvit.costs import flops
from keras_mixvit.recipes import (
    adapt,
    chosen_recipe,
    model_for,
    recipe,
    recipe_text,
)
from keras_mixvit.training import resume, train

work = Path(tempfile.mkdtemp())

# %% [markdown]
# ## A folder of images
#
# This notebook has no photos, so it makes some: it writes five of the ten handwritten
# digits included in the library, five to nine, as PNG files of 28 to 40 pixels a side.
# The layout is the one you would use for your own images: a folder for each split, and
# in it a folder for each class.

# %%
photos = work / "photos"
words = {5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine"}
rng = np.random.default_rng(0)

for split in ("train", "val", "test"):
    digits = load("digits", split)
    for word in words.values():
        (photos / split / word).mkdir(parents=True)
    for number, (image, label) in enumerate(
        zip(digits.images, digits.labels, strict=True)
    ):
        if label in words:
            # The digits have the values 0 to 16; files of images have 0 to 255.
            file = Image.fromarray(15 * image[..., 0])
            file = file.resize(rng.integers(28, 41, 2).tolist(), Image.BICUBIC)
            file.save(photos / split / words[label] / f"{number:04}.png")

for folder in sorted((photos / "train").iterdir()):
    print(folder.relative_to(work), "-", len(list(folder.iterdir())), "files")

# %% [markdown]
# Pass the path to `load`. It reads only the headers of the files. If a network could
# not use the images, it raises an error that tells you what to do. (If a folder has no
# folders `train`, `val` and `test`, `load` treats it as a train split.)

# %%
try:
    load(photos)
except ValueError as error:
    print(error)

# %%
image_set = {
    split: load(photos, split, image_size=32) for split in ("train", "val", "test")
}
for split, images in image_set.items():
    print(f"{split:5}  {images.images.shape}  {images.images.dtype}")
print("classes:", images.class_names)
mean, std = image_set["train"].statistics()
print(f"mean {mean[0]:.1f}, standard deviation {std[0]:.1f} of the training images")

# %% [markdown]
# Note two things. Classes are in the order of their *names*, so label 0 is `eight`. And
# the images are not in memory: `images.images` is an `ImageSource`, which decodes and
# resizes a file when you index it. If a data set is larger than memory, only its file
# names are kept in memory.
#
# Other data sets need the same line with another name, once their files are available:
#
#     load("cifar100", data_dir="/data/cifar")
#     load("imagenet1k", "val", data_dir="/data/imagenet", image_size=224)

# %%
train_images, train_labels = image_set["train"].images, image_set["train"].labels
figure, axes = plt.subplots(1, 10, figsize=(7, 0.95), dpi=90, layout="constrained")
for place, ax in enumerate(axes):
    label, which = divmod(place, 2)
    index = np.flatnonzero(train_labels == label)[which]
    ax.imshow(train_images[index][..., 0], cmap="gray")
    ax.set_title(image_set["train"].class_names[label], fontsize=8)
    ax.axis("off")
plt.show()

# %% [markdown]
# ## A recipe
#
# A `Recipe` describes a training run. It has parts: data, backbone, method,
# augmentation, optimizer and schedule. Each part holds the options of what it builds.
# Every row of the tables of both papers is a recipe, and the library adds a few small
# ones of its own. You seldom write a recipe from scratch: take the nearest one, and
# change options by name.
#
# A recipe was made for its own images. `adapt` fits it to yours and lists its choices.
# Sentences that begin with "Guess" are for you to decide.

# %%
for name in ("mixvit-convit", "digits-mixvit"):
    fitted, remarks = adapt(recipe(name), image_set["train"])
    print(f"{name} was made for {recipe(name).data.name}:")
    for remark in remarks:
        print(textwrap.fill(f"  - {remark}", 88, subsequent_indent="    "))

# %% [markdown]
# `mixvit-convit` is the MixViT paper's training for CIFAR-100: 150 epochs of a ConViT
# that is 384 wide, with strong augmentation. If you have photographs and a GPU, start
# with this recipe. The guess about mirrored images matters here: a mirrored digit is no
# longer a digit, and the same may apply to text, scans or road signs.
#
# For a few hundred small grey images and a CPU, the other recipe is a better fit.
# `with_settings` changes options. `scaled` shortens the training *with its whole
# schedule*: the warm-up and the drops of the learning rate keep their relative
# positions.

# %%
mine, _ = adapt(recipe("digits-mixvit"), image_set["train"])
settings = ["data.image_size=32", "batch_size=32", "seed=7"]
settings += ["backbone.num_class_blocks=1"]
mine = mine.with_settings({"data": str(photos)}).with_settings(settings)
trial = mine.scaled(0.25)

for each in (mine, trial):
    scale = each.total_epochs / each.epochs
    warmup = scale * each.schedule.warmup(each.epochs)
    falls = [round(scale * epoch, 1) for epoch in each.schedule.falls(each.epochs)]
    print(
        f"{each.total_epochs} epochs, warm-up {warmup:g}, falls after {falls}; "
        f"scaled: {each.is_scaled}"
    )
print(recipe_text(trial.with_settings({"data": "./photos"})))

# %% [markdown]
# `train` does the rest: it trains, saves a checkpoint after every epoch, and evaluates
# the model of the last epoch on the test split. Without a validation split, it would
# use a tenth of the training images for validation. `single=True`, the default, would
# also train the single network for comparison.

# %%
whole, rows = train(trial, output=str(work / "whole"), single=False, verbose=0)
for row in rows:
    print(f"{row['model']:20} accuracy {row['accuracy']:.1%}  NLL {row['nll']:.3f}")
print(textwrap.fill(", ".join(sorted(path.name for path in whole.iterdir())), 88))

# %% [markdown]
# The folder is a complete record of the run. It holds the models of the last and the
# best epoch, the history, pictures and the recipe. `result.json` holds the scores with
# versions, device, and a fingerprint of the images.
#
# ## The same from a shell, killed
#
# The command
#
#     keras-mixvit train digits-mixvit --data ./photos --epochs 15 --no-single \
#         --set data.image_size=32 --set batch_size=32 --set seed=7 \
#         --set backbone.num_class_blocks=1 --output killed
#
# makes the same recipe: it adapts the recipe of that name to the images and prints the
# same remarks. The options that you `--set` take precedence.

# %%
same, _ = chosen_recipe(
    "digits-mixvit", data=str(photos), settings=settings, epochs=trial.total_epochs
)
print("The recipe of the command is that of above:", same == trial)

options = ["--data", photos, "--epochs", "15", "--no-single"]
options += [word for setting in settings for word in ("--set", setting)]
command = [sys.executable, "-u", "-m", "keras_mixvit.cli", "train", "digits-mixvit"]
command = [*command, *options, "--output", work / "killed"]

# %% [markdown]
# Start the command in a separate process, and kill that process after six epochs. The
# process does not get a signal that it could handle, so it has no chance to save
# anything.

# %%
checkpoints = work / "killed" / "checkpoints"


def finished_epochs():
    names = [path.name for path in checkpoints.glob("epoch-0*.npz")]
    return max((int(name.split("-")[1]) for name in names), default=0)


with (work / "killed.log").open("w") as log:
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.DEVNULL)
    while process.poll() is None and finished_epochs() < 6:
        time.sleep(0.05)
    process.kill()
    process.wait()

said = (work / "killed.log").read_text().splitlines()
print(*[line for line in said if line.startswith("Epoch")][-2:], sep="\n")
killed_after = finished_epochs()
print(f"exit status {process.returncode}, {killed_after} epochs finished")
print("result.json is there:", (work / "killed" / "result.json").exists())

# %% [markdown]
# The command `keras-mixvit resume RUN`, or the function `resume`, continues after the
# last finished epoch.

# %%
_, resumed_rows = resume(str(work / "killed"), verbose=0)

_, numbers = training_curves(
    {
        "never interrupted": whole / "history.csv",
        "killed and resumed": work / "killed" / "history.csv",
    }
)
first, second = numbers.values()
for column in ("loss", "val_accuracy", "val_nll"):
    difference = np.abs(np.subtract(first[column], second[column])).max()
    print(f"{column:12} of all epochs: largest difference {difference:.1e}")
same_rows = [
    np.isclose(row["nll"], again["nll"], rtol=1e-5)
    for row, again in zip(rows, resumed_rows, strict=True)
]
print("test figures are the same:", all(same_rows))

# %% [markdown]
# The losses equal those of the uninterrupted run. This takes more than loading weights.
# A checkpoint also holds the optimizer's moments and its step, which determines the
# learning rate. The pairs, masks and augmentation depend only on seed, epoch and batch,
# so each later epoch sees the same data as in the uninterrupted run.
#
# ## Choosing a backbone
#
# The backbone is a part of the recipe, and its sizes are options. You can compute the
# cost of a choice before you train anything.

# %%
choices = {
    "ConViT, 48 wide, patches of 8": [],
    "ConViT, 96 wide": ["backbone.width=96"],
    "ConViT, patches of 4": ["backbone.patch_size=4"],
    "CaiT, 48 wide, patches of 8": ["backbone=cait"],
    "WideResNet-10-1": ["backbone=wide_resnet", "method=cut_mixmo"],
}

print(f"{'':32}{'positions':>10}{'parameters':>12}{'MFLOPs':>8}{'2nd subnetwork':>16}")
for name, changes in choices.items():
    model = model_for(trial.with_settings(changes), image_set["train"])
    report = flops(model)
    positions = np.prod(model.backbone.grid_shape)
    print(
        f"{name:32}{positions:10}{model.count_params():12,}"
        f"{report.total.flops / 1e6:8.2f}{report.per_subnetwork.overhead:16.2%}"
    )

# %% [markdown]
# `positions` counts the positions of the grid on which the two inputs are mixed: the
# tokens of a transformer, or the pixels after the stem of a WideResNet. `MFLOPs` are
# for one image at inference, with both subnetworks. The last column shows how much the
# second subnetwork adds.
#
# * **Patch size** sets the number of tokens and with it the cost. Half the patch size
#   gives four times the tokens, and about four times the FLOPs. The number of
#   parameters hardly changes: the embedding shrinks and the position table grows, here
#   by the same number.
# * **Width** sets parameters and FLOPs: twice the width gives almost four times of
#   both. Width also provides the capacity for two subnetworks; narrow networks lack it
#   (MixMo, Fig. 5).
# * **WideResNet** has few parameters and many FLOPs, because each weight is applied at
#   every pixel. It is a backbone for MixMo. MixViT needs a backbone whose body keeps
#   the grid: ConViT, CaiT or ViT.
# * **ConViT** is initialised like a convolution, so that each token attends to its
#   neighbours. Its authors designed this for small data sets. **CaiT** has published
#   weights, in the sizes that `make_backbone` knows by name. The next section shows how
#   to load such weights.
#
# Only training shows which backbone is the most accurate on *your* images. Compare
# backbones on the validation split, with several seeds, and keep the test split for the
# one you chose.
#
# ## Pretrained weights
#
# If you have only a few hundred images, start from weights that were trained on more
# data. `from_preset` takes the name of one of timm's CaiT, ConViT or ViT models on the
# Hugging Face hub, or a folder with the two files that the hub stores for it. For
# photos in colour this is all you need:
#
#     MixViT.from_preset("cait_xxs24_224.fb_dist_in1k", num_classes=5, image_size=64)
#
# This notebook does not access the network. Instead it trains a small CaiT, as a single
# network, on the *other* five digits, zero to four, and saves it with timm's names and
# layout.

# %%
small = {"width": 48, "num_heads": 4, "num_blocks": 1, "num_class_blocks": 1}
small |= {"layer_scale": 0.1, "stochastic_depth_rate": 0.0}
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def zero_to_four(split):
    digits = load("digits", split, image_size=64)
    kept = np.flatnonzero(digits.labels < 5)
    return 15 * digits.images[kept], digits.labels[kept]


x, y = zero_to_four("train")
pixels = {"mean": float(x.mean()), "std": float(x.std())}
keras.utils.set_random_seed(0)
single = SingleNetwork(make_backbone("cait_xxs24", (64, 64, 1), **pixels, **small), 5)
single.compile(keras.optimizers.AdamW(2e-3), loss, weighted_metrics=["accuracy"])
single.fit(x, y, batch_size=32, epochs=30, verbose=0)
scores = single.evaluate(*zero_to_four("test"), verbose=0, return_dict=True)
print(f"0 to 4: test accuracy {scores['accuracy']:.1%}, {len(x)} training images")

# %%
weights = timm_weights(single)
config = {
    "architecture": "cait_xxs24_224",
    "num_classes": 5,
    "pretrained_cfg": {
        "input_size": [1, 64, 64],
        "mean": [pixels["mean"] / 255],
        "std": [pixels["std"] / 255],
    },
}
my_cait = work / "my_cait"
my_cait.mkdir()
save_file(weights, my_cait / "model.safetensors")
(my_cait / "config.json").write_text(json.dumps(config))

for name in list(weights)[:4]:
    print(f"{name:28} {weights[name].shape}")
print(f"... {len(weights)} arrays")

# %% [markdown]
# Now you turn the folder into a MixViT with two subnetworks. Two things are new in it:
# the source vectors, which let the trunk know which image its tokens come from, and one
# head per subnetwork. Without `num_classes` each head is a copy of the one in the file.
# If the source vectors are 0, nothing distinguishes the subnetworks, so each of them
# must equal the single network. The next cell checks this:

# %%
name = str(my_cait)  # or "cait_xxs24_224.fb_dist_in1k", without `backbone_options`
copy = MixViT.from_preset(name, backbone_options=small)
[sources] = copy.attribution.get_weights()
copy.attribution.set_weights([np.zeros_like(sources)])

test = load(photos, "test", image_size=64)
pictures = test.images[np.arange(len(test.labels))]
expected = single.predict(pictures, verbose=0)
found = copy.inference_network.predict(pictures, verbose=0)
print("logits (B, M, K):", found.shape, "largest", f"{np.abs(expected).max():.2f}")
for m in range(2):
    difference = np.abs(found[:, m] - expected).max()
    print(f"subnetwork {m} differs from the single network by {difference:.1e}")
    assert difference < 1e-4

# %% [markdown]
# They are equal up to rounding. Fine-tuning therefore starts from a network that
# contains everything the single network learned. (`image_size=96` would resize the
# position table and leave the rest unchanged.)
#
# Does it help? Take 20 images of each of your classes. Train MixViT from these weights
# and from new ones, with three seeds each. Everything else is the same.

# %%
few = load(photos, "train", image_size=64)
chosen = np.concatenate([np.flatnonzero(few.labels == k)[:20] for k in range(5)])
few_images, few_labels = few.images[chosen], few.labels[chosen]


def accuracy_of(pretrained, seed):
    keras.utils.set_random_seed(seed)
    if pretrained:
        model = MixViT.from_preset(name, num_classes=5, backbone_options=small)
    else:
        model = MixViT(make_backbone("cait_xxs24", (64, 64, 1), **pixels, **small), 5)
    model.compile(keras.optimizers.AdamW(2e-3), loss, weighted_metrics=["accuracy"])
    schedule = {"epochs": 30, "batch_size": 25, "seed": seed}
    pairs = mixed_pair_dataset(few_images, few_labels, model.mask_sampler(), **schedule)
    model.fit(pairs, verbose=0)
    scores = model.evaluate(pictures, test.labels, verbose=0, return_dict=True)
    return scores["accuracy"]


starts = {"new weights": False, "pretrained": True}
accuracies = {
    start: [accuracy_of(pretrained, seed) for seed in range(3)]
    for start, pretrained in starts.items()
}
for start, values in accuracies.items():
    each = ", ".join(f"{value:.1%}" for value in values)
    print(f"{start:12} {np.mean(values):.1%} ± {np.std(values, ddof=1):.1%}  ({each})")
print(f"{len(few_labels)} training images, {len(test.labels)} test images")

# %% [markdown]
# With 100 images, pretrained weights from other digits improve accuracy by many points,
# which is more than the seeds differ. This is one small case: the digits zero to four
# share their strokes with the digits five to nine. The effect of CaiT's published
# ImageNet weights on MixViT has not been measured with this library.

# %% tags=["picture"]
figure, axes = plt.subplots(1, 2, figsize=(7, 2.6), dpi=90, layout="constrained")
epochs = np.arange(1, len(first["loss"]) + 1)
before = epochs <= killed_after
axes[0].plot(epochs, first["loss"], color="0.6", lw=4, label="never interrupted")
axes[0].plot(epochs[before], np.array(second["loss"])[before], "o", label="killed")
axes[0].plot(epochs[~before], np.array(second["loss"])[~before], "s", label="resumed")
axes[0].axvline(killed_after + 0.5, color="black", lw=0.8, ls=":")
axes[0].set(xlabel="epoch", ylabel="training loss", title="a run that was killed")
for place, values in enumerate(accuracies.values()):
    axes[1].plot([place] * 3, 100 * np.array(values), "o", alpha=0.7)
    axes[1].hlines(100 * np.mean(values), place - 0.2, place + 0.2, color="black")
axes[1].set(xlim=(-0.5, 1.5), ylim=(0, 100), ylabel="test accuracy in %")
axes[1].set_xticks([0, 1], list(accuracies))
axes[1].set_title("MixViT on 100 images, three seeds")
axes[0].legend(frameon=False)
plt.show()

# %%
shutil.rmtree(work)
shutil.rmtree(os.environ["JAX_COMPILATION_CACHE_DIR"])

# %% [markdown]
# ## What you learned
#
# * A folder with one folder per class is a data set. Files are read when you index
#   them, and `load` reports what does not fit.
# * A recipe describes a training run. `adapt` fits it to your images and marks its
#   guesses, `with_settings` changes options, and `scaled` shortens it with its
#   schedule.
# * `keras-mixvit train` does the same in a shell. `keras-mixvit resume` resumes a
#   killed run, with the same losses as without the interruption.
# * You can compute the cost of a backbone: patch size sets FLOPs, width sets parameters
#   and FLOPs, and the second subnetwork adds little.
# * A CaiT of timm becomes a MixViT whose subnetworks start as the single network.
#
# ## Next steps
#
# [Reproducing the papers](09_reproducing_the_papers.ipynb) compares recipes with the
# published results and calculates the cost of a full run.
# [Uncertainty](06_uncertainty.ipynb) evaluates a trained model beyond its accuracy.
# [Cut-MixMo on CNNs](05_cut_mixmo_on_cnns.ipynb) covers the WideResNet of the table.
