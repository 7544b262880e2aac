import importlib.util
import json
import time
from pathlib import Path

import keras

from keras_mixvit._checks import require
from keras_mixvit.analysis import mixed_samples, training_curves
from keras_mixvit.data import load
from keras_mixvit.data.load import splits
from keras_mixvit.evaluation import evaluate
from keras_mixvit.metrics import NLL
from keras_mixvit.recipes.checkpoint import Checkpoint
from keras_mixvit.recipes.data_sets import dataset_for
from keras_mixvit.recipes.methods import model_for
from keras_mixvit.recipes.optimization import loss_for, optimizer_for
from keras_mixvit.recipes.recipe import Recipe
from keras_mixvit.recipes.run_folder import new_run_folder

# The model of the method, in the folder of the run itself.
MAIN = "main"


def train(
    recipe: Recipe,
    output: str | None = None,
    single: bool = True,
    verbose: int | str = "auto",
) -> tuple[Path, list]:
    """Trains a method, and the single network for comparison, and reports.

    The folder of the run gets `model.keras`, `history.csv`, `results.json`
    and `recipe.json`, the model and history of the single network below
    `single`, and, with matplotlib, `curves.png` and, where images are mixed in
    pixels alone, as in MixViT, `mixed_samples.png`. The model is saved after
    every epoch, so an interrupted run leaves one.

    Args:
        recipe: `Recipe`.
        output: Folder of the run, or `None` for a new one below `runs`.
            Defaults to `None`.
        single: Boolean, whether to train the single network too. Defaults to
            `True`.
        verbose: What `model.fit` takes. Defaults to `"auto"`.

    Returns:
        The folder, and a list of rows: dicts of `model`, `parameters`,
        `accuracy`, `nll` and `seconds`, which is `None` for a part of a model.

    Raises:
        ValueError: If recipe, data and models do not fit together, or the
            folder cannot be written.

    Example:

    ```python
    recipe = Recipe(epochs=1, num_blocks=1, width=16)
    folder, rows = train(recipe, output="run", verbose=0)
    assert (folder / "model.keras").exists() and len(rows) == 4
    ```

    References:
        MixViT, Section 4.
    """
    sets = {
        split: load(recipe.data, split, image_size=recipe.image_size)
        for split in splits(recipe.data)
    }
    # A set without a validation split validates on its test split, as the
    # papers do, and the other way round; nothing is selected by it.
    held_out = sets.get("val") or sets.get("test")
    require(
        held_out is not None,
        "`data` must have a validation or a test split.",
        data=recipe.data,
    )
    validation, test = held_out, sets.get("test") or held_out
    trained = {MAIN: recipe}
    if single:
        trained = {"single": recipe.baseline(), **trained}
    models = {name: model_for(each, sets["train"]) for name, each in trained.items()}
    datasets = {
        name: dataset_for(each, models[name], sets["train"])
        for name, each in trained.items()
    }
    stem = Path(recipe.data).stem
    folder = new_run_folder(
        output, f"{stem}-{recipe.method}-{recipe.backbone}-seed{recipe.seed}"
    )
    _write_json(folder / "recipe.json", recipe.to_dict())
    rows = []
    for name, model in models.items():
        place = folder if name == MAIN else folder / name
        place.mkdir(exist_ok=True)
        seconds = _fit(model, datasets[name], validation, place, trained[name], verbose)
        rows += report(model, test, seconds)
    _write_json(folder / "results.json", rows)
    if has_matplotlib():
        histories = {
            model.name: (folder if name == MAIN else folder / name) / "history.csv"
            for name, model in models.items()
        }
        training_curves(histories)[0].savefig(folder / "curves.png")
        mixing = getattr(models[MAIN], "mixing", None)
        if mixing is not None:
            names = sets["train"].class_names
            figure, _ = mixed_samples(datasets[MAIN], mixing, names)
            figure.savefig(folder / "mixed_samples.png")
    return folder, rows


def has_matplotlib() -> bool:
    """Whether figures can be drawn; matplotlib is the extra `figures`."""
    return importlib.util.find_spec("matplotlib") is not None


def _fit(model, dataset, validation, place, recipe, verbose):
    # Pixel and manifold mixing bring soft labels, for which this loss is.
    model.compile(
        optimizer_for(recipe, model, len(dataset)),
        loss_for(recipe),
        weighted_metrics=["accuracy", NLL()],
    )
    checkpoint = Checkpoint(place / "model.keras")
    # `fit` sets it late: an interruption may come first.
    checkpoint.set_model(model)
    logger = keras.callbacks.CSVLogger(str(place / "history.csv"))
    start = time.perf_counter()
    try:
        model.fit(
            dataset,
            validation_data=(validation.images, validation.labels),
            validation_batch_size=recipe.batch_size,
            callbacks=[checkpoint, logger],
            verbose=verbose,
        )
    except KeyboardInterrupt:
        checkpoint.save()
        raise
    return time.perf_counter() - start


def report(model, images, seconds: float) -> list[dict]:
    """Rows of a table: the ensemble of a model and each of its subnetworks."""
    rows = []
    for row in evaluate(model, images, all_schemes=False, verbose=0).rows:
        part = f" {row['part']}" if model.num_subnetworks > 1 else ""
        is_first = not rows
        rows.append(
            {
                "model": f"{model.name}{part}",
                "parameters": model.count_params() if is_first else None,
                "accuracy": row["accuracy"],
                "nll": row["nll"],
                "seconds": round(seconds, 1) if is_first else None,
            }
        )
    return rows


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2) + "\n")
