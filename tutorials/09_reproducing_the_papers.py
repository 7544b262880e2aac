# %% [markdown]
# # Reproducing the papers
#
# How a row of a paper's table becomes a recipe that you can run, how to compare a
# run with what was published, and what a full run costs.
#
# You need to know what a recipe is ([Your own data](07_your_own_data.ipynb)). It takes
# about a minute on two CPU cores.
#
# **First of all:** nobody has repeated the papers' full trainings with this library.
# Their figures below are quoted. What is trained here is small, and the text says what
# it can and cannot show.

# %%
import os
import tempfile

os.environ.setdefault("KERAS_BACKEND", "jax")
# JAX keeps what it compiles here: the next seed of a network compiles nothing.
os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp()

import dataclasses
import shutil
import textwrap
import time
from collections import Counter
from pathlib import Path

# %%
import matplotlib.pyplot as plt
import numpy as np

from keras_mixvit import load
from keras_mixvit.costs import flops
from keras_mixvit.data import ImageSet
from keras_mixvit.recipes import (
    adapt,
    chosen_recipe,
    dataset_for,
    model_for,
    published_rows,
    recipe,
    recipe_text,
    recipes,
)
from keras_mixvit.training import compare, train

# %% [markdown]
# ## What was published
#
# `published_rows` holds the rows of the tables of both papers. Most were trained by
# the papers' authors, and each of these is a recipe; the others the papers only quote
# from elsewhere.

# %%
rows = published_rows()
trained = [row for row in rows if row.recipe is not None]
print(f"{len(rows)} rows, {len(trained)} of them trained by the authors")
print(f"{len(recipes())} recipes, as some rows stand in several tables\n")
for paper in ("MixViT", "MixMo"):
    tables = Counter(row.table for row in rows if row.paper == paper)
    listed = ", ".join(f"{table} ({count})" for table, count in tables.items())
    print(*textwrap.wrap(f"{paper}: {listed}", 88), sep="\n")

# %% [markdown]
# The MixViT paper's Table 2c is its main result on CIFAR-100. Each row names its
# recipe, with mean and standard deviation as printed.

# %%
for row in published_rows("MixViT Table 2c:*"):
    [(metric, value, deviation)] = row.figures
    print(f"{row.row:32} {metric} {value} ± {deviation}  {row.recipe}")

# %% [markdown]
# ## A row is a recipe
#
# A recipe is composed of parts. `recipe_text` writes it as TOML, and so does
# `keras-mixvit show NAME`. What is not written has its default value.

# %%
names = [row.recipe for row in published_rows("MixViT Table 2c:*")]
three = [recipe(name) for name in names]
single, ours, _ = three
print(recipe_text(ours.replace(note="")))
print("The three rows differ in these fields alone:")
for field in dataclasses.fields(ours):
    values = [getattr(each, field.name) for each in three]
    if field.name not in ("name", "note") and len(set(values)) > 1:
        print(f"{field.name}: {', '.join(map(str, values))}")

# %% [markdown]
# So the comparison of the table is a fair one: the single network has the same
# backbone, schedule, augmentation and mixing of pixels. Only the method differs.
#
# ## What had to be chosen
#
# Papers are silent in places, and contradict themselves in others. What was chosen
# there stands in the recipe's `note`, so that you can choose otherwise.

# %%
with_notes = sum(bool(each.note) for each in recipes())
print(f"{with_notes} of {len(recipes())} recipes have a note.")
for name in ("mixvit-convit", "mixvit-imagenet"):
    print(f"\n{name} ({recipe(name).name})")
    note = textwrap.wrap(recipe(name).note, 84)
    print(textwrap.indent("\n".join(note), "    "))

# %% [markdown]
# ## What can be checked without training
#
# Parameters are a first check of a rebuilt network. Images of noise in the shape of
# CIFAR-100 are enough to build the four networks; with the real ones it is
# `load("cifar100", data_dir=...)`.

# %%
rng = np.random.default_rng(0)
noise = rng.integers(0, 256, (50_000, 32, 32, 3), dtype="uint8")
labels = np.arange(50_000) % 100
class_names = tuple(f"class {k}" for k in range(100))
cifar = ImageSet(noise, labels, class_names, mean=(128.0,) * 3, std=(74.0,) * 3)

four = {name: recipe(name) for name in ("convit", "mixvit-convit")}
four |= {name: recipe(name) for name in ("wrn28-10", "cut-mixmo")}
models = {name: model_for(each, cifar) for name, each in four.items()}

for name, model in models.items():
    count = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    printed = [
        f"{row.value('parameters')} M ({row.paper}, {row.table})"
        for row in published_rows(recipe=name)
        if "parameters" in [metric for metric, *_ in row.figures]
    ]
    print(f"{name:14} {count:11,} trainable parameters; printed: {printed[0]}")

# %% [markdown]
# The papers cut their figures off, they do not round. The second subnetwork is almost
# free in parameters; it costs a second head, and a second stem in MixMo or two source
# vectors in MixViT.
#
# ## A scaled run, beside the published figure
#
# A full run is out of reach of a notebook. A *scaled* one takes the recipe and makes
# it smaller, and says so: `scaled(factor)` shortens the whole schedule, `width_scale`
# makes the network narrower, `data.share` takes a part of the images.
#
# Here two rows of Table 2c, the single network and MixViT, are scaled down until they
# train in seconds on the embedded digits. A good deal else must change with it: digits
# must not be mirrored, and so few steps bear no strong augmentation.

# %%
changes = [
    *("augmentation=none", "augmentation.random_erasing=0", "pixel_mixing=none"),
    *("pairs.repetitions=1", "batch_size=32", "schedule.base_batch_size=32"),
    *("schedule.learning_rate=0.002", "backbone.num_heads=4", "width_scale=0.125"),
    *("backbone.num_blocks=1", "backbone.num_class_blocks=1"),
]
digits = load("digits")
small = {}
for name in ("convit", "mixvit-convit"):
    fitted, _ = adapt(recipe(name), digits)
    fitted = fitted.with_settings(["data=digits", *changes])
    small[name] = fitted.scaled(0.16)
print(f"{small['convit'].total_epochs} epochs instead of {single.epochs}")

# %% [markdown]
# The published figures belong to another training, and `compare` says so below. Now
# the claim to look at is a *difference*, and a difference of two
# runs may be chance. So each recipe is trained with three seeds, which draw the initial
# weights, the order of the images and the masks.

# %%
work, runs = Path(tempfile.mkdtemp()), []
for name, each in small.items():
    for seed in range(3):
        folder = str(work / f"{name}-{seed}")
        each = each.replace(seed=seed)
        train(each, output=folder, single=False, verbose=0, tell=lambda sentence: None)
        runs.append(folder)

table = compare(runs)
for row in table:
    print(
        f"{row['run']:16} {row['parameters']:7,} parameters  "
        f"accuracy {row['accuracy']:.1%}  NLL {row['nll']:.3f}"
    )
for kind in ("published", "differs"):
    print(*textwrap.wrap(f"{kind}: {table[-1][kind]}", 88), sep="\n")

# %% [markdown]
# `compare`, as `keras-mixvit compare RUN RUN` in a shell, finds by the recipe's name
# what was published, and lists what differs from that training. Mean and standard
# deviation over seeds, and the difference with its standard error:

# %%
scores = {
    name: np.array([100 * row["accuracy"] for row in table if row["run"][:-2] == name])
    for name in small
}
for name, values in scores.items():
    print(f"{name:14} {values.mean():.1f} ± {values.std(ddof=1):.1f} %")

a, b = scores["mixvit-convit"], scores["convit"]
difference = a.mean() - b.mean()
error = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
print(f"MixViT - single network, here: {difference:+.1f} points, error {error:.1f}")

published = {name: published_rows(recipe=name)[0].figures[0][1:] for name in small}
(m, m_deviation), (s, s_deviation) = published["mixvit-convit"], published["convit"]
print(f"MixViT - single network, published: {m - s:+.1f} points", end=", ")
print(f"deviations {m_deviation} and {s_deviation}")
print(f"one of {len(load('digits', 'test').labels)} test images is 0.2 points")

# %% tags=["picture"]
panels = {
    "published: CIFAR-100, 150 epochs": {n: [v] for n, (v, _) in published.items()},
    f"here: digits, {small['convit'].total_epochs} epochs, 3 seeds": scores,
}
figure, axes = plt.subplots(1, 2, figsize=(7, 2.6), dpi=90, layout="constrained")
for ax, (title, values) in zip(axes, panels.items(), strict=True):
    for place, found in enumerate(values.values()):
        ax.plot([place] * len(found), found, "o", alpha=0.7)
        ax.hlines(np.mean(found), place - 0.2, place + 0.2, color="black", lw=1)
    ax.set(title=title, xlim=(-0.5, 1.5), ylabel="test accuracy in %")
    ax.set_xticks([0, 1], ["single network", "MixViT"])
    ax.grid(axis="y", alpha=0.4)
for place, (value, deviation) in enumerate(published.values()):
    axes[0].errorbar(place, value, deviation, color="black", capsize=6)
plt.show()

# %% [markdown]
# The two panels have scales of their own, as they are not about the same thing. The
# paper's effect is not seen in a training as short as this, and it would be wrong to
# expect it: a subnetwork of MixViT sees half of each image in most of its training,
# and so learns more slowly. The seeds of MixViT differ by many points, so that one run
# of each would have told little. Hold a difference against its error: below about two
# errors, three seeds show nothing either way.
#
# Longer studies, over several seeds, are among the
# [results](../docs/results.md) of the library.
#
# ## What a full run costs
#
# All that follows is arithmetic, not measurement. A training step forward and backward
# is taken as three times the FLOPs of the forward pass, which `flops` counts exactly.

# %%
totals, prepared = {}, {}
print(f"{'':14}{'steps':>9}{'TFLOPs a step':>15}{'1e18 FLOPs':>12}{'1e6 images':>12}")
for name, each in four.items():
    steps = len(dataset_for(each, models[name], cifar)) * each.total_epochs
    per_sample = flops(models[name], training=True).training_step_flops
    a_step = per_sample * each.batch_size
    totals[name] = steps * a_step
    # Every mixed sample is made of M images, each augmented on its own.
    prepared[name] = steps * each.batch_size * models[name].num_subnetworks
    print(
        f"{name:14}{steps:9,}{a_step / 1e12:15.2f}{totals[name] / 1e18:12.2f}"
        f"{prepared[name] / 1e6:12.1f}"
    )

# %% [markdown]
# An **estimate** of the hours: all FLOPs, divided by the vendor's peak and by the share
# of it that a training reaches, its utilisation. That share is assumed, and is the
# weak point: small networks keep a large accelerator badly busy. So the table has two.
# Validation, saving and the preparation of images are left out.

# %%
# Peaks of dense matrix products, by the vendor; the first one is MixMo's card.
peaks = {
    "TITAN X (Pascal), float32": 11e12,
    "A100, bfloat16": 312e12,
    "H100 SXM, bfloat16": 989e12,
}
print(f"{'ESTIMATED hours':31}" + "".join(f"{name:>14}" for name in four))
for accelerator, peak in peaks.items():
    for utilisation in (0.1, 0.3):
        hours = [totals[name] / (peak * utilisation) / 3600 for name in four]
        row = "".join(f"{hour:14.1f}" for hour in hours)
        print(f"{accelerator:27}{utilisation:4.0%}{row}")

# %% [markdown]
# FLOPs are one half of it. Someone must augment the images, and the MixViT recipe
# augments each image three times in an epoch, for each of two subnetworks, with
# AutoAugment. How fast is one thread of *this* machine, now?

# %%
print(f"{'':14}{'images/s':>10}{'ESTIMATED hours of one thread':>32}{'A100, 30%':>12}")
for name in ("mixvit-convit", "cut-mixmo"):
    each, pairs = four[name], dataset_for(four[name], models[name], cifar)
    pairs[0]
    begun = time.perf_counter()
    for index in range(1, 11):
        pairs[index]
    seconds = time.perf_counter() - begun
    rate = 10 * each.batch_size * models[name].num_subnetworks / seconds
    hours = prepared[name] / rate / 3600, totals[name] / (312e12 * 0.3) / 3600
    print(f"{name:14}{rate:10,.0f}{hours[0]:32.1f}{hours[1]:12.1f}")

# %% [markdown]
# Compare the two columns of hours. Where a thread needs longer than the accelerator,
# the accelerator waits. Then move augmentation into the training step, with
# `apply_on="device"`: the same images, up to rounding.
#
# ## How to run one
#
# With CIFAR-100 in a folder and an accelerator, a full run with its single network for
# comparison is one line, and so is a rehearsal of a hundredth of it, which shows that
# everything is in its place:
#
#     keras-mixvit train mixvit-convit --data-dir DIR --precision bfloat16 --scale 0.01
#     keras-mixvit train mixvit-convit --data-dir DIR --precision bfloat16 \
#         --apply-on device --single --seed 0 --output full-0
#
# Such a recipe has the papers' protocol: it trains on all training images, watches the
# test images, and reports the last epoch. The test images choose nothing, so there is
# no `best.keras`. With `--val-share 0.1` a tenth of the training images is held out,
# which choose the best epoch and the temperature.
#
# If it is killed, `keras-mixvit resume full-0` goes on. Repeat it with `--seed 1` and
# `--seed 2`, and compare:
#
#     keras-mixvit compare full-0 full-1 full-2 --output curves.png
#
# `compare` takes a run with another seed, precision, or place of augmentation for the
# same training. A rehearsal it does not:

# %%
settings = ["precision=bfloat16"]
same, _ = chosen_recipe("mixvit-convit", settings=[*settings, "pairs.apply_on=device"])
rehearsal, _ = chosen_recipe("mixvit-convit", settings=settings, scale=0.01)
for name, each in {"full": same, "rehearsal": rehearsal}.items():
    steps = len(dataset_for(each, models["mixvit-convit"], cifar)) * each.total_epochs
    print(
        f"{name:10} {each.total_epochs:4} epochs, {steps:7,} steps, {each.is_scaled=}"
    )

# %%
shutil.rmtree(work)
shutil.rmtree(os.environ["JAX_COMPILATION_CACHE_DIR"])

# %% [markdown]
# ## What you learned
#
# * A row of a paper's table is a recipe. Its `note` says what had to be chosen, and
#   `published_rows(recipe=NAME)` what was reported.
# * `compare` puts a run beside the published figures, and lists what differs from the
#   published training.
# * A difference needs several seeds. At the size of this notebook the paper's effect
#   does not show, and nothing here stands in for the full runs.
# * What those cost is arithmetic: steps, FLOPs a step, an assumed utilisation. For
#   small networks, look at the input pipeline first.
#
# ## Where to go on
#
# If you make a full run, its folder has all that is needed to report it: figures,
# seeds, versions, device and a fingerprint of the images.
# [Uncertainty](06_uncertainty.ipynb) shows what else to measure on it.
