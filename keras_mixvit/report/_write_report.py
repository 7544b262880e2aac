import os
from collections.abc import Sequence
from typing import Any

from keras_mixvit.evaluation._evaluation_report import finite
from keras_mixvit.report._judged_runs import judge_runs
from keras_mixvit.report._options import Options
from keras_mixvit.report._page import page_of
from keras_mixvit.training._atomic_files import write_json, write_text


def write_report(
    runs: str | os.PathLike | Sequence[str | os.PathLike],
    output: str | os.PathLike = "report.html",
    data: str | os.PathLike | None = None,
    ood: Sequence[str | os.PathLike] = (),
    examples: int = 8,
    bootstrap: int = 1000,
    batch_size: int = 128,
    verbose: str | int = "auto",
) -> dict[str, Any]:
    """Writes one page about finished runs, and a JSON file of its numbers beside it.

    The page says what was trained and how to repeat it, what it costs, how the training
    went, how good the ensemble, each subnetwork and the baselines of the run are, when
    to trust a prediction, which classes are confused, and shows the images that the
    network finds hard. It explains every term. It is one HTML file, which loads nothing
    from other machines and has no scripts. If there are many pictures, they are
    smaller, so that the page stays below 5 MB for a few runs. It needs the extra
    `report`.

    It judges what the networks predict after the last epoch, without the temperature
    that may be saved with them, as in `evaluate`. It shows several runs side by side.

    Args:
        runs: Path of the folder of a finished run, or list of paths.
        output: Path of the page, which ends in `.html`. The numbers go to a file of the
            same name with `.json`. Existing files of a report are replaced. Defaults to
            `"report.html"`.
        data: Name or path of a data set, as `load` takes it, which judges all runs, or
            `None` for the test images of the runs, which must be the same. Defaults to
            `None`.
        ood: Sequence of names or paths of data sets whose images are out of the
            distribution, as in `evaluate_run`. Defaults to `()`.
        examples: Integer from 1 to 100, the most images of a gallery. Defaults to `8`.
        bootstrap: Non-negative integer, the number of resamples of the images for 95 %
            intervals, `0` for none. Defaults to `1000`.
        batch_size: Positive integer, images per step. Defaults to `128`.
        verbose: As in `keras.Model.predict`. Defaults to `"auto"`.

    Returns:
        Dict, the content of the JSON file: `runs`, a list of dicts with the facts, the
        scores, the confusions and the examples of each run; `reliability`,
        `risk_coverage` and, with `ood`, `ood`, by the names of networks.

    Raises:
        ValueError: If a run is not finished or damaged, runs were not judged on the
            same images, the images do not fit, or an option is out of its range.
        ModuleNotFoundError: If the extra `report` is not installed.

    Example:

    ```python
    recipe = Recipe(epochs=1, backbone={"name": "convit", "width": 16})
    train(recipe, output="run", verbose=0)
    found = write_report("run", output="page.html", bootstrap=0, verbose=0)
    assert Path("page.html").exists() and Path("page.json").exists()
    assert found["runs"][0]["scores"][-1]["part"] == "subnetwork 1"
    ```

    References:
        MixMo, Sections 4.1, 4.3.2 and 6.5; MixViT, Section 4.
    """
    options = Options(runs, output, data, ood, examples, bootstrap, batch_size)
    found = judge_runs(options, verbose)
    page, numbers = page_of(found, options)
    numbers = finite(numbers)
    write_text(options.page, page)
    write_json(options.figures, numbers)
    return numbers
