import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from keras_mixvit._checks import require, require_choice, require_path
from keras_mixvit.data.sets._class_folders import require_classes
from keras_mixvit.data.sets._load import is_data_path
from keras_mixvit.data.sets._set_address import with_whole_path
from keras_mixvit.data.sources._file_checks import ON_ERROR
from keras_mixvit.recipes._dataset import dataset_for
from keras_mixvit.recipes._model import model_for
from keras_mixvit.recipes._optimization import optimizer_for
from keras_mixvit.recipes._protocol import (
    sets_of,
)
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.training._calls import require_steps
from keras_mixvit.training._devices import devices_in_use
from keras_mixvit.training._finish import finish
from keras_mixvit.training._fit import has_tensorboard
from keras_mixvit.training._run_data import facts, load_own
from keras_mixvit.training._run_folder import new_run_folder
from keras_mixvit.training._run_settings import RunSettings
from keras_mixvit.training._skipped_files import skipped_files, write_skipped


def train(
    recipe: Recipe,
    output: str | None = None,
    single: bool = True,
    verbose: int | str = "auto",
    data_dir: str | None = None,
    tensorboard: bool = False,
    devices: int | None = None,
    timeout: float = 600.0,
    tell: Callable[[str], object] = print,
    on_error: str = "when_read",
    steps_per_execution: int | None = None,
    single_cutmix: bool = False,
) -> tuple[Path, list]:
    """Trains the network of a recipe, and single networks to compare it with.

    It writes these files into the folder of the run:

    | file | content |
    |---|---|
    | `model.keras` | the model after the last epoch |
    | `best.keras` | the best by validation accuracy; protocol `"validation"` |
    | `history.csv` | losses and metrics of every epoch |
    | `result.json` | the scores, and all that you need to repeat the run |
    | `recipe.toml`, `run.json` | the settings; you can train `recipe.toml` again |
    | `curves.png`, `mixed_samples.png` | figures, with matplotlib |

    The files of the single network are in the folder `single`, those of the single
    network with CutMix in `single-cutmix`, and those of the networks of an ensemble in
    `member-0` and so on. It saves the run after every epoch; if it is interrupted,
    `resume` continues it.

    Args:
        recipe: `Recipe`.
        output: Folder of the run, or `None` for a new one in `runs`. Defaults to
            `None`.
        single: Boolean, whether to train the single network, too. Defaults to `True`.
        verbose: `"auto"` for one progress bar on a terminal and a line per epoch
            elsewhere, or a value of `keras.Model.fit`. Defaults to `"auto"`.
        data_dir: Folder of the images, as in `load`, or `None`. Defaults to `None`.
        tensorboard: Boolean, whether to write logs for TensorBoard, if it is installed.
            Defaults to `False`.
        devices: Integer, the number of devices that share each batch, as in
            `data_parallel`, or `None` for one device, or for those of all processes
            that were started together. Defaults to `None`.
        timeout: Seconds to wait for another process. Defaults to `600.0`.
        tell: Function that it calls with each sentence for the user. Defaults
            to `print`.
        on_error: What to do with damaged image files, as in `load`. The file
            `skipped.json` lists the skipped files, and a resumed run skips the same
            ones. Defaults to `"when_read"`.
        steps_per_execution: Integer, the number of training steps per call to the
            device, as in `keras.Model.compile`. With more steps, the device waits less
            for Python on JAX and TensorFlow; the result is the same. `None` is 1, or up
            to 100 on JAX with an accelerator. Defaults to `None`.
        single_cutmix: Boolean, whether to train the single network with CutMix, too,
            for the same number of steps. Mixing itself regularises, so this is the
            baseline of a method that mixes. Defaults to `False`.

    Returns:
        The folder, and a list of rows: dicts of `model`, `parameters`,
        `accuracy`, `nll`, `calibrated_nll`, `ece` and `seconds`. `parameters`
        and `seconds` are `None` for a part of a model. They describe the model
        after the last epoch on the test images, or on the validation images if
        there is no test split.

    Raises:
        ValueError: If recipe, data, models and devices do not fit together,
            or the folder cannot be written.
        OSError: If a file cannot be written, or another process does not
            answer. The files of earlier epochs remain.

    Example:

    ```python
    recipe = Recipe(epochs=1, backbone={"name": "convit", "width": 16})
    folder, rows = train(recipe, output="run", verbose=0)
    assert (folder / "model.keras").exists() and len(rows) == 4
    ```

    References:
        MixViT, Section 4.
    """
    require(isinstance(recipe, Recipe), "`recipe` must be a `Recipe`.", recipe=recipe)
    for name, path in (("output", output), ("data_dir", data_dir)):
        if path is not None:
            require_path(name, path)
    require_choice("on_error", on_error, ON_ERROR)
    name = recipe.data.name
    if not is_data_path(name) and os.path.exists(name):
        tell(
            f"{name!r} is the data set of that name; write './{name}' for the file or "
            "folder here."
        )
    require_steps(steps_per_execution)
    recipe, data_dir = with_whole_paths(recipe, data_dir)
    settings = RunSettings(
        recipe,
        data_dir,
        single=single,
        single_cutmix=single_cutmix,
        tensorboard=tensorboard,
    )
    with devices_in_use(devices, timeout) as parallel:
        return _train(
            settings, output, verbose, tell, parallel, on_error, steps_per_execution
        )


def _train(settings, output, verbose, tell, parallel, on_error, steps_per_execution):
    own = load_own(settings, on_error, {})
    sets, skipped = sets_of(settings.recipe.data, own), skipped_files(own)
    require_classes(sets["train"], settings.recipe.data.name)
    for split, names in skipped.items():
        tell(f"Damaged files of the {split} split that it skips: {len(names):,}.")
    # Raises errors before it writes anything; members of an ensemble differ only in
    # their seeds.
    kinds = {}
    for each in settings.trainings().values():
        kinds[each.method.name, each.pixel_mixing.name] = each
    for each in kinds.values():
        model = model_for(each, sets["train"])
        parallel.own_batches(dataset_for(each, model, sets["train"]))
        optimizer_for(each, model, steps_per_epoch=1)
    if settings.tensorboard and not has_tensorboard():
        tell(
            "No logs for TensorBoard: Keras writes them with the packages tensorflow "
            "and tensorboard (pip install tensorflow tensorboard)."
        )
        settings = dataclasses.replace(settings, tensorboard=False)
    found = dataclasses.replace(settings, facts=facts(sets, parallel))

    def begin():
        folder = new_run_folder(output, settings.name)
        found.write(folder)
        write_skipped(folder, skipped)
        return str(folder)

    folder = Path(parallel.on_main(begin))
    return folder, finish(
        folder, settings, sets, verbose, tell, parallel, steps_per_execution
    )


def with_whole_paths(recipe, data_dir):
    """The recipe and folder with absolute paths, for a resume from any directory."""
    if os.path.isdir(recipe.preset):
        recipe = recipe.replace(preset=os.path.abspath(recipe.preset))
    if data_dir is not None:
        return recipe, os.path.abspath(data_dir)
    name = recipe.data.name
    if is_data_path(name) and os.path.exists(name):
        return recipe.with_settings({"data.name": os.path.abspath(name)}), None
    if (whole := with_whole_path(name)) != name:
        return recipe.with_settings({"data.name": whole}), None
    return recipe, None
