# %% [markdown]
# # Uncertainty
#
# Accuracy says how often a network is right. This tutorial asks whether it knows when
# it is: confidence and calibration, what members of an ensemble add to each other, and
# what happens to all of it when the images get worse.
#
# You need to know Keras and what a MixMo model is
# ([Cut-MixMo on convolutional networks](05_cut_mixmo_on_cnns.ipynb)). Everything here
# works the same with `MixViT`. About one minute on two CPU cores.

# %%
# %matplotlib inline
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import itertools

import keras
import matplotlib.pyplot as plt
import numpy as np
import rich
from IPython.display import Markdown, display

from keras_mixvit import (
    Ensemble,
    MixMo,
    SingleNetwork,
    WideResNet,
    evaluate,
    load,
    mixed_pair_dataset,
)
from keras_mixvit.analysis import ensemble_effectiveness, reliability_diagram
from keras_mixvit.metrics import (
    accuracy,
    calibrated_nll,
    calibration_error,
    disagreement,
    fit_temperature,
    nll,
    pairwise_kl,
    ratio_error,
)

# %% [markdown]
# ## Networks to judge
#
# Four single networks and four Cut-MixMo networks, small WideResNets, each with a seed
# of its own. They learn from 200 of the digits that come with the library, few enough
# that they make errors to look at. The 297 images of the validation split serve to
# calibrate, the 500 of the test split to judge.

# %%
NAME, COUNT, EPOCHS, BATCH, SEEDS = "digits", 200, 60, 20, (0, 1, 2, 3)

train, val, test = (load(NAME, split) for split in ("train", "val", "test"))
mean, std = train.statistics()
images, labels = train.images[:COUNT], train.labels[:COUNT]


def network(kind, seed):
    keras.utils.set_random_seed(seed)
    shape = images.shape[1:]
    backbone = WideResNet(shape, depth=10, widening=1, l2=3e-4, mean=mean, std=std)
    return kind(backbone, train.num_classes)


# %% [markdown]
# One compiled model trains all networks of a kind; each lends it its fresh weights and
# takes them back trained. That spares compiling four times.


# %%
def trained(kind):
    worker, networks = network(kind, 0), [network(kind, seed) for seed in SEEDS]
    steps = EPOCHS * (len(images) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(0.05, steps)
    worker.compile(
        keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    worker.optimizer.build(worker.trainable_variables)
    options = {"epochs": EPOCHS, "batch_size": BATCH}
    for seed, fresh in zip(SEEDS, networks, strict=True):
        worker.set_weights(fresh.get_weights())
        for variable in worker.optimizer.variables:
            variable.assign(0 * variable)
        masks = worker.mask_sampler()
        pairs = mixed_pair_dataset(images, labels, masks, seed=seed, **options)
        worker.fit(pairs, epochs=EPOCHS, verbose=0)
        fresh.set_weights(worker.get_weights())
    return networks


singles, mixmos = trained(SingleNetwork), trained(MixMo)

# %% [markdown]
# ## One report of everything
#
# `evaluate` judges the ensemble and every subnetwork in one pass over the images.
# Below stands what its columns mean.

# %%
report = evaluate(mixmos[0], test, all_schemes=False, verbose=0)
rich.print(report.table())

# %% [markdown]
# `report.rows` holds the same as numbers. Here are means ± standard deviations over the
# four seeds, of the single networks and of the ensembles of the two subnetworks in each
# Cut-MixMo:


# %%
def spread(values, form):
    return f"{np.mean(values):{form}} ± {np.std(values, ddof=1):{form}}"


def show(rows, headings):
    lines = [headings, ["---"] * len(headings), *rows]
    display(Markdown("\n".join(f"| {' | '.join(cells)} |" for cells in lines)))


def whole(network):
    """The first row of a report: the network, or its ensemble."""
    return evaluate(network, test, all_schemes=False, verbose=0).rows[0]


rows = {
    "single network": [whole(network) for network in singles],
    "Cut-MixMo": [whole(network) for network in mixmos],
}
SCORES = ("accuracy", "nll", "calibrated_nll", "temperature", "ece", "brier", "auroc")
show(
    [
        [name, *(spread([row[score] for row in found], ".3f") for score in SCORES)]
        for name, found in rows.items()
    ],
    ["", *SCORES],
)

# %% [markdown]
# * **NLL**, the negative log-likelihood, is the mean of -log of the probability given
#   to the true class. The **Brier** score is the squared distance of the probabilities
#   from the truth. Both punish being wrong *and* being wrongly sure.
# * **ECE**, the expected calibration error, compares confidence with accuracy.
# * **AUROC** asks whether confidence ranks right answers above wrong ones.
# * **Temperature** and **NLL_c** follow.
#
# ## Calibration
#
# The confidence of a prediction is its highest probability. A network is calibrated if
# of the images to which it gives a confidence of 0.8 it gets 80 % right. The diagram
# sorts predictions by their confidence into 15 bins and compares the mean confidence
# of each bin with its accuracy; the ECE is the mean of the gaps, weighted by the
# images in the bins. To fill the bins, the predictions of the four networks of a kind
# are put together.


# %%
def logits_of(networks, pictures):
    """Subnetwork logits (networks, n, M, K)."""
    return np.stack(
        [network.inference_network.predict(pictures, verbose=0) for network in networks]
    )


logits = {
    "single network": logits_of(singles, test.images),
    "Cut-MixMo": logits_of(mixmos, test.images),
}
together = {name: np.concatenate(found) for name, found in logits.items()}
figure, _ = reliability_diagram(together, np.tile(test.labels, len(SEEDS)))
display(figure)

# %% [markdown]
# Orange above blue is overconfidence, blue above orange the contrary.
#
# How large is an ECE of a few percent? Even a perfectly calibrated network would not
# have 0, since few images fall into a bin. To see it, draw labels at random from the
# probabilities of a network itself: for such labels it *is* calibrated.

# %%
rng = np.random.default_rng(0)
for name, found in logits.items():
    measured = [100 * calibration_error(run, test.labels) for run in found]
    logs = found.mean(axis=2)
    probabilities = np.exp(logs - logs.max(axis=-1, keepdims=True))
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    ideal = []
    for run, chances in zip(found, probabilities, strict=True):
        for _ in range(50):
            uniform = rng.random((len(chances), 1))
            drawn = (chances.cumsum(axis=1) < uniform).sum(axis=1).clip(max=9)
            ideal.append(100 * calibration_error(run, drawn))
    print(f"{name:15} ECE {spread(measured, '.2f')} %, ideal {spread(ideal, '.2f')} %")

# %% [markdown]
# Only what lies above the second number speaks against a network. ECE depends on the
# bins, too; the paper keeps it out of its main tables for such reasons (MixMo, Section
# 6.5). `calibration_error(..., adaptive=True)` takes bins of equally many images.
#
# ## Temperature
#
# Confidence can be corrected after training, with one number: dividing all logits by a
# temperature T changes no prediction, only how sure it is. T above 1 makes a network
# less sure. `fit_temperature` finds the T with the least NLL, on images that are
# neither trained on nor tested on.

# %%
held_out = {
    "single network": logits_of(singles, val.images),
    "Cut-MixMo": logits_of(mixmos, val.images),
}
rows = []
for name, found in logits.items():
    fitted = [fit_temperature(run, val.labels) for run in held_out[name]]
    cooled = [run / t for run, t in zip(found, fitted, strict=True)]
    cells = [name, spread(fitted, ".2f")]
    for runs in (found, cooled):
        cells.append(spread([nll(run, test.labels) for run in runs], ".3f"))
        errors = [100 * calibration_error(run, test.labels) for run in runs]
        cells.append(spread(errors, ".1f"))
    rows.append(cells)
show(rows, ["", "T", "NLL", "ECE %", "NLL at T", "ECE % at T"])

# %% [markdown]
# A model keeps its temperature and uses it when it is asked to; it is saved with it:

# %%
model = mixmos[0]
model.temperature = fit_temperature(held_out["Cut-MixMo"][0], val.labels)
plain = model.predict(test.images, verbose=0)
calibrated = model.predict(test.images, calibrated=True, verbose=0)
print(f"T {model.temperature:.3f}, ratio {(plain / calibrated).mean():.3f}")
print(f"accuracy {accuracy(plain, test.labels)}, {accuracy(calibrated, test.labels)}")

# %% [markdown]
# ## NLL_c: compare networks after calibration
#
# If one number repairs confidence, then a network should not win or lose because of
# it. So the MixMo paper compares **calibrated NLL** (Section 4.1): the test images are
# split into two halves at random, the best temperature of each half is applied to the
# other, and the two NLL are averaged. An ensemble is averaged first and calibrated
# then. A network that is three times as sure of everything shows what it does:

# %%
run = logits["single network"][0]
for factor in (1, 3):
    scores = [f(factor * run, test.labels) for f in (accuracy, nll, calibrated_nll)]
    print(
        "logits x {}: accuracy {:.3f}, NLL {:.3f}, NLL_c {:.3f}".format(factor, *scores)
    )

halves = [calibrated_nll(run, test.labels, seed=seed) for seed in range(20)]
print(f"NLL_c over 20 random halvings: {spread(halves, '.4f')}")

# %% [markdown]
# ## Diversity: what members add to each other
#
# An ensemble is better than its members only where they err differently. Three
# measures of two members, of which the first is the MixMo paper's (Section 4.3.2):
#
# * **d_re**, the ratio-error: images that only one of them gets wrong, divided by
#   images that both do. 0 if they err together; infinite if never.
# * **Disagreement**: how often they predict different classes, right or wrong.
# * **KL**, the divergence between their probabilities, which also sees different
#   confidence in the same class.

# %%
pairs = list(itertools.combinations(range(len(SEEDS)), 2))
one = logits["single network"]
couples = {
    "one single network, twice": [np.concatenate([run, run], axis=1) for run in one],
    "two single networks": [np.concatenate([one[i], one[j]], axis=1) for i, j in pairs],
    "the two subnetworks of a Cut-MixMo": list(logits["Cut-MixMo"]),
}
rows = []
for name, runs in couples.items():
    alone = [
        np.mean([100 * accuracy(run[:, m], test.labels) for m in (0, 1)])
        for run in runs
    ]
    averaged = [100 * accuracy(run, test.labels) for run in runs]
    cells = [spread([ratio_error(run, test.labels) for run in runs], ".2f")]
    cells.append(spread([100 * disagreement(run) for run in runs], ".1f"))
    cells.append(spread([pairwise_kl(run) for run in runs], ".3f"))
    cells += [spread(alone, ".1f"), spread(np.subtract(averaged, alone), "+.1f")]
    rows.append([name, *cells])
show(rows, ["", "d_re", "disagree %", "KL", "member %", "averaging adds"])

# %% [markdown]
# ## Ensembles of ensembles
#
# A Cut-MixMo network costs as much as a single network, so several of them can be
# averaged as one averages single networks (Section 4.6). `Ensemble` takes trained
# models of this library and is one model: it predicts, is saved, loaded and exported.
# Its report compares it with its members, and these with their subnetworks.

# %%
ensemble = Ensemble(mixmos[:2])
rich.print(evaluate(ensemble, test, verbose=0).table())

# %% [markdown]
# Ensembles of N = 1, 2, 3, 4 networks against their parameters. Each point is the mean
# over all choices of N of the four networks; the curves are power laws, as in Fig. 10
# of the paper.

# %%
families = {}
for name, kind in (("single networks", singles), ("Cut-MixMo networks", mixmos)):
    found = logits_of(kind, test.images).mean(axis=2)
    families[name] = []
    for size in range(1, len(SEEDS) + 1):
        chosen = itertools.combinations(found, size)
        averages = [np.mean(members, axis=0) for members in chosen]
        point = {"parameters": size * kind[0].count_params()}
        for score in (accuracy, calibrated_nll):
            values = [score(average, test.labels) for average in averages]
            point[score.__name__] = np.mean(values)
        families[name].append(point)
figure, _ = ensemble_effectiveness(families)
display(figure)

# %% [markdown]
# ## When the images get worse
#
# The test images look like the training images. Others do not. CIFAR-10-C and
# CIFAR-100-C are the test sets of CIFAR under 15 corruptions in five severities; here
# are three of that kind for the digits: noise, blur, and loss of contrast.

# %%
TOP = float(train.images.max())


def noise(pictures, severity, rng):
    return pictures + TOP * 0.08 * severity * rng.normal(size=pictures.shape)


def blur(pictures, severity, rng):
    for _ in range(severity):
        padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
        pictures = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 16
    return pictures


def contrast(pictures, severity, rng):
    centre = pictures.mean(axis=(1, 2), keepdims=True)
    return centre + (0.75, 0.6, 0.45, 0.3, 0.15)[severity - 1] * (pictures - centre)


CORRUPTIONS, SEVERITIES = (noise, blur, contrast), (1, 2, 3, 4, 5)


def corrupted(pictures, corruption, severity):
    worse = corruption(pictures.astype("float32"), severity, np.random.default_rng(0))
    return worse.clip(0, TOP).round().astype("uint8")


# %%
figure, panels = plt.subplots(3, 6, figsize=(6, 3.2), dpi=80, layout="constrained")
for line, corruption in zip(panels, CORRUPTIONS, strict=True):
    line[0].set_ylabel(corruption.__name__)
    for severity, axes in enumerate(line):
        shown = test.images[:1]
        if severity:
            shown = corrupted(shown, corruption, severity)
        axes.imshow(shown[0], cmap="gray", vmin=0, vmax=TOP)
        axes.set(xticks=[], yticks=[])
        if corruption is noise:
            axes.set_title(f"severity {severity}" if severity else "test image")
plt.show()

# %% [markdown]
# All networks predict all sets. Beside the networks alone there are ensembles of two,
# from the same predictions: six pairs of seeds of each kind.

# %%
clean = [test.images for _ in CORRUPTIONS]
sets = [[corrupted(test.images, c, s) for s in SEVERITIES] for c in CORRUPTIONS]
sets = np.stack([[first, *rest] for first, rest in zip(clean, sets, strict=True)])
worse = {}
for name, kind in (("single network", singles), ("Cut-MixMo", mixmos)):
    flat = logits_of(kind, sets.reshape(-1, *images.shape[1:])).mean(axis=2)
    found = flat.reshape(len(SEEDS), *sets.shape[:3], -1)
    worse[name] = found
    worse[f"two of {name}"] = np.stack([(found[i] + found[j]) / 2 for i, j in pairs])


def scored(score, found):
    """A score of every network (or pair), corruption and severity."""
    return np.array(
        [[[score(x, test.labels) for x in line] for line in run] for run in found]
    )


curves = {
    name: [scored(score, found) for score in (accuracy, nll, calibration_error)]
    for name, found in worse.items()
}

# %% tags=["picture"]
figure, panels = plt.subplots(
    3, 3, figsize=(8, 6), dpi=80, sharex=True, sharey="row", layout="constrained"
)
colours = {"single network": "#0072B2", "Cut-MixMo": "#D55E00"}
for name, scores in curves.items():
    colour = colours[name.removeprefix("two of ")]
    style = {"color": colour, "linestyle": "--" if name.startswith("two") else "-"}
    for row, values in zip(panels, scores, strict=True):
        for axes, lines in zip(row, values.transpose(1, 2, 0), strict=True):
            middle, deviation = lines.mean(axis=1), lines.std(axis=1, ddof=1)
            axes.plot(range(6), middle, label=name, **style)
            if not name.startswith("two"):
                band = (middle - deviation, middle + deviation)
                axes.fill_between(range(6), *band, color=colour, alpha=0.15)
for axes, corruption in zip(panels[0], CORRUPTIONS, strict=True):
    axes.set_title(corruption.__name__)
for axes, title in zip(panels[:, 0], ("accuracy", "NLL", "ECE"), strict=True):
    axes.set_ylabel(title)
for axes in panels[-1]:
    axes.set_xlabel("severity")
handles, names = panels[0, 0].get_legend_handles_labels()
figure.legend(handles, names, ncols=4, loc="outside upper center")
plt.show()
