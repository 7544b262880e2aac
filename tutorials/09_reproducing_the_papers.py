# %% [markdown]
# # Reproducing the papers
#
# In this tutorial you turn a row of a paper's table into a recipe that you can run. You
# compare a run with the published results and estimate the cost of a full run.
#
# You need to know what a recipe is ([Your own data](07_your_own_data.ipynb)). It takes
# about a minute on two CPU cores.
#
# **First of all:** nobody has repeated the papers' full trainings with this library.
# The figures from the papers are quoted. The training runs in this tutorial are small,
# and the text states what they can and cannot show.

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
# `published_rows` contains the rows of the tables of both papers. The authors of the
# papers trained most of these models themselves, and each such row is a recipe. The
# papers quote the other rows from elsewhere.

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
# Table 2c of the MixViT paper is its main result on CIFAR-100. Each row gives its
# recipe, and the mean and standard deviation as printed.

# %%
for row in published_rows("MixViT Table 2c:*"):
    [(metric, value, deviation)] = row.figures
    print(f"{row.row:32} {metric} {value} ± {deviation}  {row.recipe}")

# %% [markdown]
# ## A row is a recipe
#
# A recipe is composed of parts. `recipe_text` writes it as TOML, and so does
# `keras-mixvit show NAME`. An option that is not written has its default value.

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
# The comparison in the table is therefore fair: the single network has the same
# backbone, schedule, augmentation and mixing of pixels. Only the method differs.
#
# ## What had to be chosen
#
# The papers leave some details open and contradict themselves in others. The recipe's
# `note` documents each choice that this required, so that you can choose differently.

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
# The number of parameters is a first check of a reimplemented network. Images of noise
# in the shape of CIFAR-100 are enough to build the four networks. For the real images,
# use `load("cifar100", data_dir=...)`.

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
# The papers truncate their figures; they do not round them. The second subnetwork adds
# almost no parameters: a second head, and a second stem in MixMo or two source vectors
# in MixViT.
#
# ## A scaled run, beside the published figure
#
# A notebook cannot do a full run. A *scaled* run makes the recipe smaller and records
# that it did so: `scaled(factor)` shortens the whole schedule, `width_scale` makes the
# network narrower, and `data.share` takes a part of the images.
#
# Here you scale down two rows of Table 2c, the single network and MixViT, until they
# train in seconds on the digits of the package. You must also change many other
# settings: digits must not be mirrored, and strong augmentation does not work with so
# few steps.

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
# The published figures belong to a different training, and `compare` reports this
# below. The claim to check is a *difference*, and a difference between two runs may be
# due to chance. You therefore train each recipe with three seeds. The seed determines
# the initial weights, the order of the images and the masks.

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
# `compare`, or `keras-mixvit compare RUN RUN` in a shell, uses the recipe's name to
# find the published result, and lists how your training differs from the published one.
# The next cell computes the mean and standard deviation over seeds, and the difference
# with its standard error:

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
# The two panels have different scales, because they do not show the same experiment. A
# training this short does not show the paper's effect, and you should not expect it to:
# a subnetwork of MixViT sees half of each image during most of its training, and so
# learns more slowly. The seeds of MixViT differ by many points, so one run of each
# would have shown little. Compare the difference with its error: below about two
# errors, three seeds show nothing either way.
#
# The [results](../docs/results.md) of the library include longer studies over several
# seeds.
#
# ## What a full run costs
#
# The numbers below are calculated, not measured, except for the speed of one thread at
# the end. A training step, forward and backward, is taken as three times the FLOPs of
# the forward pass, which `flops` counts exactly.

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
# The next table is an **estimate** of the hours: all FLOPs, divided by the vendor's
# peak and by the utilisation, the share of the peak that a training reaches. The
# utilisation is an assumption, and it is the weak point: small networks make poor use
# of a large accelerator. The table therefore shows two values. It leaves out
# validation, saving and the preparation of images.

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
# FLOPs are only half of the cost. A CPU must also augment the images. The MixViT recipe
# augments each image three times per epoch, for each of two subnetworks, with
# AutoAugment. How fast is one thread of *this* machine right now?

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
# Compare the two columns of hours. Where one thread needs longer than the accelerator,
# the accelerator waits. In that case move augmentation into the training step, with
# `apply_on="device"`. It produces the same images, up to rounding.
#
# ## How to run one
#
# You need CIFAR-100 in a folder and an accelerator. The first command below is a
# rehearsal of a hundredth of the full run, which shows that everything is in place. The
# second command is the full run with its single network for comparison:
#
#     keras-mixvit train mixvit-convit --data-dir DIR --precision bfloat16 --scale 0.01
#     keras-mixvit train mixvit-convit --data-dir DIR --precision bfloat16 \
#         --apply-on device --single --seed 0 --output full-0
#
# Such a recipe follows the papers' protocol: it trains on all training images, monitors
# the test images, and reports the last epoch. The test images are not used to select
# anything, so there is no `best.keras`. With `--val-share 0.1` a tenth of the training
# images is held out and used to select the best epoch and the temperature.
#
# If the run is killed, `keras-mixvit resume full-0` resumes it. Repeat the run with
# `--seed 1` and `--seed 2`, and compare:
#
#     keras-mixvit compare full-0 full-1 full-2 --output curves.png
#
# `compare` treats a run with another seed, precision, or place of augmentation as the
# same training. It does not do so for a rehearsal:

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
# * A row of a paper's table is a recipe. Its `note` documents the choices that had to
#   be made, and `published_rows(recipe=NAME)` returns the reported results.
# * `compare` shows a run next to the published figures, and lists how it differs from
#   the published training.
# * A difference needs several seeds. At the size of this notebook the paper's effect
#   does not show, and nothing here replaces the full runs.
# * You can calculate the cost of a full run from steps, FLOPs per step, and an assumed
#   utilisation. For small networks, check the input pipeline first.
#
# ## Next steps
#
# If you make a full run, its folder contains everything you need to report it: figures,
# seeds, versions, device and a fingerprint of the images.
# [Uncertainty](06_uncertainty.ipynb) shows what else to measure on it.
