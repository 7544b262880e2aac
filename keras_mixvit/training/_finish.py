"""Trains the networks of a run, and writes its results."""

import shlex

from keras_mixvit.data.sets._load import splits
from keras_mixvit.distribution import Parallel
from keras_mixvit.models import Ensemble, load_model
from keras_mixvit.recipes._protocol import (
    judged_split,
    protocol_in_words,
    watched_split,
)
from keras_mixvit.training._atomic_files import save_model, write_json
from keras_mixvit.training._checkpoint import Checkpoints
from keras_mixvit.training._fit import CHECKPOINTS, fit
from keras_mixvit.training._found_runs import RESULT
from keras_mixvit.training._run_data import facts
from keras_mixvit.training._run_figures import draw_figures
from keras_mixvit.training._run_files import read_report
from keras_mixvit.training._run_rows import name_of, rows_of
from keras_mixvit.training._run_settings import RunSettings

# The report of a finished training: rows of the table, best epoch, seconds.
REPORT = "report.json"


def finish(
    folder,
    settings: RunSettings,
    sets,
    verbose,
    tell,
    parallel: Parallel,
    steps_per_execution: int | None = None,
) -> list[dict]:
    """Trains the networks that are not trained yet, and reports on all.

    Args:
        folder: Path of the run folder.
        settings: `RunSettings`.
        sets: Dict that `load_sets` returned.
        verbose: As in `train`.
        tell: As in `train`.
        parallel: `Parallel`, whose process 0 writes the files.
        steps_per_execution: As in `train`. Defaults to `None`.

    Returns:
        The rows of the table.
    """
    try:
        return _finish(
            folder, settings, sets, verbose, tell, parallel, steps_per_execution
        )
    except KeyboardInterrupt:
        words = f"keras-mixvit resume {shlex.quote(str(folder))}"
        raise KeyboardInterrupt(f"`{words}` resumes after the last epoch.") from None


def _finish(folder, settings, sets, verbose, tell, parallel, steps_per_execution):
    protocol = settings.recipe.data.protocol
    watched, test = sets[watched_split(protocol, sets)], sets[judged_split(sets)]
    chooses = protocol == "validation"
    reports = {}
    trainings = settings.trainings()
    data = settings.recipe.data
    has = splits(data.name, settings.data_dir)
    tell(protocol_in_words(data, sets, has))
    for name, each in trainings.items():
        place = folder / name
        if parallel.is_main:
            place.mkdir(exist_ok=True)
        if not parallel.on_main((place / REPORT).is_file):
            model, recorder = fit(
                each,
                sets["train"],
                watched,
                place,
                verbose,
                settings.tensorboard,
                tell,
                parallel,
                chooses,
                steps_per_execution=steps_per_execution,
            )
            content = {
                "rows": rows_of(model, test, recorder.seconds, name_of(name, model)),
                "best": recorder.best and {**recorder.best, "selected_on": "val"},
                "seconds": recorder.seconds,
                "seed": each.seed,
            }
            if parallel.is_main:
                write_json(place / REPORT, content)
            del model

        def take(name=name, place=place):
            reports[name] = read_report(place / REPORT)
            # If its report is intact, a training needs no checkpoint.
            Checkpoints(place / CHECKPOINTS).remove()

        parallel.on_main(take)

    def end():
        with parallel.alone():
            return _conclude(folder, settings, sets, test, reports, parallel)

    return parallel.on_main(end)


def _conclude(folder, settings, sets, test, reports, parallel):
    """Writes the files of the whole run, and returns its rows."""
    recipe, trainings = settings.recipe, settings.trainings()
    rows = [row for found in reports.values() for row in found["rows"]]
    if recipe.num_members > 1:
        members = [name for name in trainings if name.startswith("member-")]
        models = [load_model(folder / name / "model.keras") for name in members]
        ensemble = Ensemble(models, recipe.ensemble_of)
        seconds = sum(reports[name]["seconds"] for name in members)
        save_model(ensemble, folder / "model.keras")
        rows += rows_of(ensemble, test, seconds)[:1]
    draw_figures(folder, recipe, trainings, sets["train"])
    result = {
        "recipe": recipe.to_dict(),
        "scaled": recipe.is_scaled,
        **facts(sets, parallel),
        "judged_on": judged_split(sets),
        "seed": recipe.seed,
        "seconds": round(sum(found["seconds"] for found in reports.values()), 1),
        "rows": rows,
        "trainings": {
            name: {key: found[key] for key in ("seed", "best", "seconds")}
            for name, found in reports.items()
        },
    }
    write_json(folder / RESULT, result)
    return rows
