"""Pictures of every figure of `keras_mixvit.analysis`, from trained runs.

    python benchmarks/gallery.py --mixvit RUN --mixmo RUN [--sweep RUN ...]
        [--ensemble RUN ...] [--data FILE] [--output docs/gallery]

Runs are folders that `keras-mixvit train` wrote: one of `mixvit` and one of
`cut-mixmo` on a residual network, both with their single network (`--single`) and
on the same data; runs of `cut-mixmo` that differ in `--set mixing.probability=X` alone,
for the sweep; and runs that differ in `--seed` alone, with their single networks,
for the ensembles.
Images are those of the data that a run was trained on, unless `--data` says
where they are now. Every figure becomes a file, and all of them one contact sheet.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from keras_mixvit import analysis
from keras_mixvit.data import load, mixed_pair_dataset
from keras_mixvit.models import load_model

# Runs hold learning-rate schedules, which Keras finds after this import.
from keras_mixvit.recipes import Recipe, read_recipe

MARGIN = 24


def logits_of(model, images):
    """Logits `(n, M, K)` of the subnetworks."""
    return model.inference_network.predict(images, verbose=0)


def curves(folders: dict) -> dict:
    """Histories of runs and of the single networks beside them."""
    found = {}
    for name, folder in folders.items():
        found[f"single, {name[1]}"] = folder / "single" / "history.csv"
        found[name[0]] = folder / "history.csv"
    return found


def pairs_of(model, data, **options):
    """Mixed pairs of the training images, early in a training."""
    masks = model.mask_sampler(**options)
    return mixed_pair_dataset(data.images, data.labels, masks, epochs=100)


def sweep(folders, data=None) -> dict:
    """Scores of runs by their probability of binary mixing."""
    scores = {}
    for folder in folders:
        recipe = recipe_of(folder)
        test = load(data or recipe.data.name, "test")
        probability = recipe.mixing.options.get("probability", 0.5)
        logits = logits_of(load_model(folder / "model.keras"), test.images)
        scores[probability] = analysis.subnetwork_scores(logits, test.labels)
    return scores


def families(folders, data=None) -> dict:
    """Scores of ensembles of the networks of runs, and of their single ones."""
    test = load(data or recipe_of(folders[0]).data.name, "test")
    found = {}
    for name, place in (("single", "single"), ("Cut-MixMo", ".")):
        models = [load_model(folder / place / "model.keras") for folder in folders]
        predictions = [logits_of(model, test.images) for model in models]
        found[name] = analysis.ensemble_scores(
            predictions, test.labels, models[0].count_params()
        )
    return found


def recipe_of(folder) -> Recipe:
    return read_recipe(str(folder / "recipe.toml"))


def figures(options):
    """Name and figure of each picture, with the numbers behind it."""
    data = options.data or recipe_of(options.mixvit).data.name
    train, test = load(data, "train"), load(data, "test")
    vit, mixmo = (
        load_model(f / "model.keras") for f in (options.mixvit, options.mixmo)
    )
    single_vit, single_cnn = (
        load_model(f / "single" / "model.keras")
        for f in (options.mixvit, options.mixmo)
    )
    folders = {
        ("MixViT", "ConViT"): options.mixvit,
        ("Cut-MixMo", "WideResNet"): options.mixmo,
    }
    yield "training_curves", *analysis.training_curves(curves(folders))
    pairs = pairs_of(vit, train)
    found = analysis.mixed_samples(pairs, vit.mixing, train.class_names)
    yield "mixed_samples_mixvit", *found
    pairs = pairs_of(mixmo, train, probability=1.0)
    found = analysis.mixed_samples(pairs, None, train.class_names)
    yield "mixed_samples_mixmo", *found
    yield "mask_gallery", *analysis.mask_gallery(analysis.mask_families())
    some = analysis.mask_families(num_subnetworks=3)
    yield "mask_gallery_3", *analysis.mask_gallery(some)
    images, labels = test.images[:6], test.labels[:6]
    # Those of the last block, which is followed by the heads.
    maps = list(vit.attention_maps(images).values())[-1]
    titles = [test.class_names[label] for label in labels]
    found = analysis.subnetwork_attention(images, maps, vit.backbone.grid_shape, titles)
    yield "subnetwork_attention", *found
    kernels = {"MixViT": vit.heads.kernel, "Cut-MixMo": mixmo.heads.kernel}
    yield "feature_influence", *analysis.feature_influence(kernels)
    yield "filter_influence", *analysis.filter_influence(mixmo.stems)
    bodies = {"single network": single_cnn.body, "Cut-MixMo": mixmo.body}
    yield "active_filters", *analysis.active_filters(bodies)
    predictions = {
        "single, ConViT": logits_of(single_vit, test.images),
        "MixViT": logits_of(vit, test.images),
        "Cut-MixMo": logits_of(mixmo, test.images),
    }
    found = analysis.reliability_diagram(predictions, test.labels)
    yield "reliability_diagram", *found
    yield "weighting_curves", *analysis.weighting_curves()
    if options.sweep:
        scores = {"Cut-MixMo": sweep(options.sweep, options.data)}
        label = "probability p of binary mixing"
        yield "diversity_accuracy", *analysis.diversity_accuracy(scores, label)
    if options.ensemble:
        found = families(options.ensemble, options.data)
        yield "ensemble_effectiveness", *analysis.ensemble_effectiveness(found)


def contact_sheet(pictures: list, columns: int = 2) -> Image.Image:
    """Pictures below each other, each in the column that is the shortest."""
    width = max(picture.width for picture in pictures) + MARGIN
    heights, places = [MARGIN] * columns, []
    for picture in pictures:
        column = int(np.argmin(heights))
        places.append((MARGIN + column * width, heights[column]))
        heights[column] += picture.height + MARGIN
    sheet = Image.new("RGB", (MARGIN + columns * width, max(heights)), "white")
    for picture, place in zip(pictures, places, strict=True):
        sheet.paste(picture, place)
    return sheet


def save_small(picture: Image.Image, path: Path) -> None:
    """Saves a picture with 256 colours of its own, a third of the bytes."""
    # Among Pillow's methods, this one with k-means best keeps colours of few pixels.
    few = picture.quantize(
        256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE
    )
    few.save(path, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mixvit", type=Path, required=True)
    parser.add_argument("--mixmo", type=Path, required=True)
    parser.add_argument("--sweep", type=Path, nargs="+", default=[])
    parser.add_argument("--ensemble", type=Path, nargs="+", default=[])
    parser.add_argument("--data")
    parser.add_argument("--output", type=Path, default=Path("docs/gallery"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    pictures = []
    for name, figure, _ in figures(options):
        path = options.output / f"{name}.png"
        figure.savefig(path)
        with Image.open(path) as file:
            pictures.append(file.convert("RGB"))
        save_small(pictures[-1], path)
        print(f"{path}  {path.stat().st_size / 1e3:.0f} kB")
    path = options.output / "contact_sheet.png"
    save_small(contact_sheet(pictures), path)
    print(f"{path}  {path.stat().st_size / 1e3:.0f} kB")
