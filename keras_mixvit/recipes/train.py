import dataclasses
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
from keras_mixvit.recipes.methods import dataset_for, model_for, single_network
from keras_mixvit.recipes.run_folder import new_run_folder
from keras_mixvit.recipes.training_options import TrainingOptions
from keras_mixvit.recipes.warmup_step_decay import WarmupStepDecay

# The model of the method, in the folder of the run itself.
MAIN = "main"
# DeiT's rule, with the tokens of this library: vectors do not decay.
NOT_DECAYED = (
    "bias",
    "class_token",
    "position_embedding",
    "source_bias",
    "source_embedding",
)


def train(options: TrainingOptions, verbose: int | str = "auto") -> tuple[Path, list]:
    """Trains a method, and the single network for comparison, and reports.

    The folder of the run gets `model.keras`, `history.csv`, `results.json`
    and `options.json`, the model and history of the single network below
    `single`, and, with matplotlib, `curves.png` and, of methods with several
    subnetworks, `mixed_samples.png`. The model is saved after every epoch, so
    an interrupted run leaves one.

    Args:
        options: `TrainingOptions`.
        verbose: What `model.fit` takes. Defaults to `"auto"`.

    Returns:
        The folder, and a list of rows: dicts of `model`, `parameters`,
        `accuracy`, `nll` and `seconds`, which is `None` for a part of a model.

    Raises:
        ValueError: If options, data and models do not fit together, or the
            folder cannot be written.

    Example:

    ```python
    options = TrainingOptions(epochs=1, num_blocks=1, width=16, output="run")
    folder, rows = train(options, verbose=0)
    assert (folder / "model.keras").exists() and len(rows) == 4
    ```

    References:
        MixViT, Section 4.
    """
    sets = {split: load(options.data, split) for split in splits(options.data)}
    # A set without a validation split validates on its test split, as the
    # papers do, and the other way round; nothing is selected by it.
    held_out = sets.get("val") or sets.get("test")
    require(
        held_out is not None,
        "`data` must have a validation or a test split.",
        data=options.data,
    )
    validation, test = held_out, sets.get("test") or held_out
    models = {MAIN: model_for(options, sets["train"])}
    if options.single:
        models = {"single": single_network(options, sets["train"]), **models}
    datasets = {
        name: dataset_for(options, model, sets["train"])
        for name, model in models.items()
    }
    stem = Path(options.data).stem
    folder = new_run_folder(
        options.output,
        f"{stem}-{options.method}-{options.backbone}-seed{options.seed}",
    )
    _write_json(folder / "options.json", dataclasses.asdict(options))
    rows = []
    for name, model in models.items():
        place = folder if name == MAIN else folder / name
        place.mkdir(exist_ok=True)
        seconds = _fit(model, datasets[name], validation, place, options, verbose)
        rows += report(model, test, seconds)
    _write_json(folder / "results.json", rows)
    if has_matplotlib():
        histories = {
            model.name: (folder if name == MAIN else folder / name) / "history.csv"
            for name, model in models.items()
        }
        training_curves(histories)[0].savefig(folder / "curves.png")
        if models[MAIN].num_subnetworks > 1:
            mixing = getattr(models[MAIN], "mixing", None)
            names = sets["train"].class_names
            figure, _ = mixed_samples(datasets[MAIN], mixing, names)
            figure.savefig(folder / "mixed_samples.png")
    return folder, rows


def has_matplotlib() -> bool:
    """Whether figures can be drawn; matplotlib is the extra `figures`."""
    return importlib.util.find_spec("matplotlib") is not None


def _fit(model, dataset, validation, place, options, verbose):
    # The rule of the learning rate counts the repetitions that there are.
    options = dataclasses.replace(options, repetitions=dataset.repetitions)
    # Pixel and manifold mixing bring soft labels, for which this loss is.
    model.compile(
        _optimizer(model, options, options.epochs * len(dataset)),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=options.label_smoothing
        ),
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
            validation_batch_size=options.batch_size,
            callbacks=[checkpoint, logger],
            verbose=verbose,
        )
    except KeyboardInterrupt:
        checkpoint.save()
        raise
    return time.perf_counter() - start


def _optimizer(model, options, total_steps):
    schedule = WarmupStepDecay(options.resolved_learning_rate, total_steps)
    if options.is_residual:
        return keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True)
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=options.resolved_weight_decay, epsilon=1e-8
    )
    optimizer.exclude_from_weight_decay(var_list=not_decayed(model))
    return optimizer


def not_decayed(model) -> list:
    """Variables that weight decay leaves alone: biases, norms, gains, tokens."""
    return [
        variable
        for variable in model.trainable_variables
        if len(variable.shape) <= 1 or variable.name in NOT_DECAYED
    ]


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
