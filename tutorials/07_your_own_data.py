# %% [markdown]
# # Your own data
#
# How a folder of images becomes a training: which recipe, which backbone, which
# weights to start from, and what to do when the training is killed.
#
# You need to know Keras, and what a subnetwork and a mixed pair are
# ([MixViT in ten minutes](01_mixvit_in_ten_minutes.ipynb)). It takes one to two
# minutes on two CPU cores, and needs the extras `data` (Pillow reads and writes the
# images) and `hub` (safetensors holds the weights):
#
#     pip install "keras_mixvit[jax,data,hub,tutorials]"

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
# This notebook has no photos, so it makes some: five of the ten handwritten digits
# that come with the library, five to nine, as PNG files of 28 to 40 pixels a side.
# They lie as yours would: a folder for each split, and in it a folder for each class.

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
# `load` takes the path. It reads the headers of the files only, and refuses what a
# network could not take, with what to do about it. (If a folder has no folders
# `train`, `val` and `test`, it is taken for a train split.)

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
# Two things to look at. Classes are in the order of their *names*, so that label 0 is
# `eight`. And the images are not in memory: `images.images` is an `ImageSource`, which
# decodes and resizes a file when it is indexed. Of a set that is larger than
# memory only the names of its files are held.
#
# Other sets are the same line with another name, where their files are at hand:
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
# A `Recipe` describes a training. It has parts: data, backbone, method, augmentation,
# optimizer, schedule, and each part holds the options of what it builds. Every row of
# the tables of both papers is a recipe, and a few small ones are the library's own.
# You seldom write one: take the nearest, and change options by their names.
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
# that is 384 wide, with strong augmentation. For photographs and a GPU it is the place
# to start. The guess about mirrored images matters here: a mirrored digit is no
# digit any more, and so may it be for text, scans or road signs.
#
# For a few hundred small grey images and a CPU, the other one is nearer.
# `with_settings` changes options, and `scaled` shortens the training *with its whole
# schedule*: warm-up and falls of the learning rate keep their places in it.

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
# `train` does the rest: it trains, saves after every epoch, and judges the model of
# the last epoch on the test split. Without a validation split, a tenth of the training
# images would take its place. `single=True`, the default, would train the single
# network as well, for comparison.

# %%
whole, rows = train(trial, output=str(work / "whole"), single=False, verbose=0)
for row in rows:
    print(f"{row['model']:20} accuracy {row['accuracy']:.1%}  NLL {row['nll']:.3f}")
print(textwrap.fill(", ".join(sorted(path.name for path in whole.iterdir())), 88))

# %% [markdown]
# The folder is a full account of the run: the model of the last and of the best epoch,
# the history, pictures, the recipe, and in `result.json` the figures with versions,
# device, and a fingerprint of the images.
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
# same remarks. What you `--set` has the last word.

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
# Start it in a process of its own, and kill that process when six epochs are behind
# it. It is not asked to stop: it has no chance to save anything.

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
# The command `keras-mixvit resume RUN`, or the function, continues after the last
# finished epoch.

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
# The losses are those of the run that was never interrupted. This is more than loading
# weights. A checkpoint holds the optimizer's moments and its step, on which the
# learning rate depends; and pairs, masks and augmentation are drawn from seed, epoch
# and batch, so that each later epoch sees what it would have seen.
#
# ## Choosing a backbone
#
# The backbone is a part of the recipe, with its sizes as options. You can compute what
# a choice costs before you train anything.

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
# `positions` are those of the grid on which the two inputs are mixed: the tokens of a
# transformer, the pixels behind the stem of a WideResNet. `MFLOPs` are for one image at
# inference, with both subnetworks, and the last column is what the second of them adds.
#
# * **Patch size** sets the number of tokens and with it the cost. Half the patch size
#   is four times the tokens and the FLOPs. Parameters hardly change: the embedding
#   shrinks and the position table grows, here by the same number.
# * **Width** sets parameters and FLOPs: twice the width is almost four times of both.
#   It is also where two subnetworks find room; in narrow networks they do not
#   (MixMo, Fig. 5).
# * **WideResNet** has few parameters and many FLOPs, as each weight works at every
#   pixel. It is a backbone for MixMo. MixViT needs one whose body keeps the grid:
#   ConViT or CaiT.
# * **ConViT** starts as a convolution would, each token looking at its neighbours,
#   which its authors made for small data sets. **CaiT** has published weights, which
#   are used below, in the sizes that `make_backbone` knows by name.
#
# Which is the most accurate on *your* images only training tells. Compare on the
# validation split, with several seeds, and keep the test split for the one you chose.
#
# ## Pretrained weights
#
# With a few hundred images of your own, start from weights that have seen more.
# `from_preset` takes a name of timm's CaiT or ConViT on the Hugging Face hub, or a
# folder with the two files that the hub has of it:
#
#     MixViT.from_preset("cait_xxs24_224.fb_dist_in1k", num_classes=5, image_size=64)
#
# is all that photos in colour need. This notebook stays off the network. It trains a
# small CaiT, as a single network, on the *other* five digits, zero to four, and writes
# it in timm's names and layout.

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
# Now the folder becomes a MixViT of two subnetworks. Two things are new in it: the
# source vectors, which tell the trunk whose tokens it sees, and as many heads as there
# are subnetworks. Without `num_classes` each head is a copy of the one in the file. If
# the source vectors are 0, nothing tells the subnetworks apart, and each of them must
# be the single network. Is it?

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
# They are equal up to rounding. So fine-tuning starts from a network whose parts all
# know what the single network knew. (`image_size=96` would resize the position table,
# and leave the rest as it is.)
#
# Does it help? Take 20 images of each of your classes, and train MixViT from these
# weights and from new ones, with three seeds each. Everything else is the same.

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
# With 100 images, weights that were made for other digits are worth many points, more
# than the seeds differ by. It is one small case: strokes of zero to four are strokes of
# five to nine. What CaiT's published weights, which are of ImageNet, bring to MixViT
# has not been measured with this library.

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
# * A folder of a folder per class is a data set; files are read when they are asked
#   for, and `load` says what does not fit.
# * A recipe describes a training. `adapt` fits it to your images and marks its guesses,
#   `with_settings` changes options, `scaled` shortens it with its schedule.
# * `keras-mixvit train` does the same in a shell, and `keras-mixvit resume` resumes a
#   killed run, with the losses that it would have had.
# * Cost of a backbone is arithmetic: patch size sets FLOPs, width sets parameters and
#   FLOPs, the second subnetwork adds little.
# * A CaiT of timm becomes a MixViT whose subnetworks start as the single network.
#
# ## Where to go on
#
# [Reproducing the papers](09_reproducing_the_papers.ipynb) compares recipes with what
# was published, and reckons what a full run costs.
# [Uncertainty](06_uncertainty.ipynb) judges a trained model by more than its accuracy,
# and [Cut-MixMo on CNNs](05_cut_mixmo_on_cnns.ipynb) is about the WideResNet of the
# table.
