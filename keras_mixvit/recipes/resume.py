from pathlib import Path

from keras_mixvit._checks import require, require_path
from keras_mixvit.recipes.devices import devices_in_use
from keras_mixvit.recipes.run_files import read_result, require_entry
from keras_mixvit.recipes.run_settings import RunSettings
from keras_mixvit.recipes.skipped_files import read_skipped
from keras_mixvit.recipes.train import RESULT, facts, finish, load_sets


def resume(
    run: str,
    verbose: int | str = "auto",
    devices: int | None = None,
    timeout: float = 600.0,
    tell=print,
) -> tuple[Path, list]:
    """Goes on with a run that was ended, from its last whole checkpoint.

    Trainings that are finished are not repeated. On the backend and the
    versions of before, the rest goes as it would have gone, on any number of
    devices: batches are the same, and only TensorFlow and PyTorch draw other
    dropout on another number.

    Args:
        run: Path of the folder of the run.
        verbose: What `train` takes. Defaults to `"auto"`.
        devices: What `train` takes, whatever the run began with. Defaults to
            `None`.
        timeout: What `train` takes. Defaults to `600.0`.
        tell: Function that is given what there is to say, in sentences.
            Defaults to `print`.

    Returns:
        What `train` returns.

    Raises:
        ValueError: If there is no such run, its images are others now, or
            the devices do not divide its batches.
        OSError: If a file cannot be written, or another process does not
            answer; what was saved before is kept.

    Example:

    ```python
    train(Recipe(epochs=1, num_blocks=1, width=16), output="run", verbose=0)
    folder, rows = resume("run", verbose=0)
    assert len(rows) == 4
    ```
    """
    require_path("run", run)
    folder = Path(run)
    settings = RunSettings.read(folder)
    if (folder / RESULT).is_file():
        rows = read_result(folder / RESULT)["rows"]
        tell("There is nothing to resume: the run is finished.")
        return folder, rows
    require_entry(folder / "run.json", settings.facts is not None, "`facts`", None)
    with devices_in_use(devices, timeout) as parallel:
        return folder, _resume(folder, settings, verbose, tell, parallel)


def _resume(folder, settings, verbose, tell, parallel):
    sets = load_sets(settings, skipped=read_skipped(folder))
    before, now = settings.facts, facts(sets, parallel)
    require(
        before["data"]["fingerprint"] == now["data"]["fingerprint"],
        "`run` must be resumed with the images with which it began; labels, shapes or "
        "pixels are others now.",
        data=settings.recipe.data,
    )
    if before["backend"] != now["backend"]:
        tell(
            f"The run began on {before['backend']} and goes on on {now['backend']}: "
            "what it learns from now on is not exactly what it would have learned."
        )
    changed = [
        f"{name} {version} is {now['versions'][name]} now"
        for name, version in before["versions"].items()
        if now["versions"].get(name, version) != version
    ]
    if changed:
        tell(f"Versions differ from those of before: {', '.join(changed)}.")
    # Runs of before this was written down were on one device.
    replicas = before.get("replicas", 1)
    if replicas != parallel.num_replicas:
        tell(
            f"The run began on {replicas} device(s) and goes on on "
            f"{parallel.num_replicas}: its batches stay the same."
        )
    return finish(folder, settings, sets, verbose, tell, parallel)
