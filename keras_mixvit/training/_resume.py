from collections.abc import Callable
from pathlib import Path

from keras_mixvit._checks import require, require_path
from keras_mixvit.training._calls import require_steps
from keras_mixvit.training._devices import devices_in_use
from keras_mixvit.training._finish import finish
from keras_mixvit.training._found_runs import RESULT
from keras_mixvit.training._run_data import facts, load_sets
from keras_mixvit.training._run_files import read_result, require_entry
from keras_mixvit.training._run_settings import RunSettings
from keras_mixvit.training._skipped_files import read_skipped


def resume(
    run: str,
    verbose: int | str = "auto",
    devices: int | None = None,
    timeout: float = 600.0,
    tell: Callable[[str], object] = print,
    steps_per_execution: int | None = None,
) -> tuple[Path, list]:
    """Resumes an interrupted run from its last intact checkpoint.

    It does not repeat finished trainings. On the same backend and versions, the result
    equals that of an uninterrupted run. You may use another number of devices: the
    batches stay the same, and only dropout differs, on TensorFlow and PyTorch.

    Args:
        run: Path of the run folder.
        verbose: As in `train`. Defaults to `"auto"`.
        devices: As in `train`; it may differ from the first part of the run. Defaults
            to `None`.
        timeout: As in `train`. Defaults to `600.0`.
        tell: Function that it calls with each sentence for the user. Defaults
            to `print`.
        steps_per_execution: As in `train`. Defaults to `None`.

    Returns:
        The folder, and a list of rows, as in `train`.

    Raises:
        ValueError: If there is no such run, its recipe or its images have changed, or
            the devices do not divide its batches.
        OSError: If a file cannot be written, or another process does not
            answer. The files of earlier epochs remain.

    Example:

    ```python
    recipe = Recipe(epochs=1, backbone={"name": "convit", "width": 16})
    train(recipe, output="run", verbose=0)
    folder, rows = resume("run", verbose=0)
    assert len(rows) == 4
    ```
    """
    require_path("run", run)
    require_steps(steps_per_execution)
    folder = Path(run)
    settings = RunSettings.read(folder)
    settings.require_same_recipe(folder)
    if (folder / RESULT).is_file():
        rows = read_result(folder / RESULT)["rows"]
        tell("There is nothing to resume: the run is finished.")
        return folder, rows
    require_entry(folder / "run.json", settings.facts is not None, "`facts`", None)
    with devices_in_use(devices, timeout) as parallel:
        return folder, _resume(
            folder, settings, verbose, tell, parallel, steps_per_execution
        )


def _resume(folder, settings, verbose, tell, parallel, steps_per_execution):
    sets = load_sets(settings, skipped=read_skipped(folder))
    before, now = settings.facts, facts(sets, parallel)
    require(
        before["data"]["fingerprint"] == now["data"]["fingerprint"],
        "`run` must be resumed with the same images; labels, shapes or pixels have "
        "changed.",
        data=settings.recipe.data.name,
    )
    if before["backend"] != now["backend"]:
        tell(
            f"The run began on {before['backend']} and continues on {now['backend']}: "
            "its results will differ slightly from those of an uninterrupted run."
        )
    changed = [
        f"{name} {version} is {now['versions'][name]} now"
        for name, version in before["versions"].items()
        if now["versions"].get(name, version) != version
    ]
    if changed:
        tell(f"The run began with other versions: {', '.join(changed)}.")
    replicas = before["replicas"]
    if replicas != parallel.num_replicas:
        tell(
            f"The run began on {replicas} device(s) and continues on "
            f"{parallel.num_replicas}: its batches stay the same."
        )
    return finish(folder, settings, sets, verbose, tell, parallel, steps_per_execution)
