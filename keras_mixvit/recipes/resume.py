import json
from pathlib import Path

from keras_mixvit._checks import require
from keras_mixvit.recipes.run_settings import RunSettings
from keras_mixvit.recipes.train import RESULT, facts, finish, load_sets


def resume(run: str, verbose: int | str = "auto", tell=print) -> tuple[Path, list]:
    """Goes on with a run that was ended, from its last whole checkpoint.

    Trainings that are finished are not repeated. On the backend and the
    versions of before, the rest goes as it would have gone.

    Args:
        run: Path of the folder of the run.
        verbose: What `train` takes. Defaults to `"auto"`.
        tell: Function that is given what there is to say, in sentences.
            Defaults to `print`.

    Returns:
        What `train` returns.

    Raises:
        ValueError: If there is no such run, or its images are others now.
        OSError: If a file cannot be written; what was saved before is kept.

    Example:

    ```python
    train(Recipe(epochs=1, num_blocks=1, width=16), output="run", verbose=0)
    folder, rows = resume("run", verbose=0)
    assert len(rows) == 4
    ```
    """
    folder = Path(run)
    settings = RunSettings.read(folder)
    if (folder / RESULT).is_file():
        tell("There is nothing to resume: the run is finished.")
        return folder, json.loads((folder / RESULT).read_text())["rows"]
    sets = load_sets(settings)
    before, now = settings.facts, facts(sets)
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
    return folder, finish(folder, settings, sets, verbose, tell)
