"""The commands `keras-mixvit train` and `keras-mixvit resume`."""

import argparse

from keras_mixvit.cli._console import make_console
from keras_mixvit.cli._run_table import print_run
from keras_mixvit.training._devices import is_one_of_several


def add_train(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = commands.add_parser(
        "train",
        help="train a recipe, and the single network to compare it with",
        description="Trains a recipe and prints the accuracy and NLL of the ensemble "
        "and of each subnetwork, on the test images, after the last epoch. Without a "
        "name: a single network and MixViT on small digits, in a few minutes.",
    )
    command.add_argument(
        "name",
        nargs="?",
        help="recipe, as `recipes` lists them, or a .toml file of one",
    )
    command.add_argument(
        "--data",
        metavar="NAME_OR_PATH",
        help="other images: a set by name, a .npz file, a folder; the recipe is "
        "adapted to them",
    )
    command.add_argument("--data-dir", metavar="DIR", help="folder with the images")
    command.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the recipe, such as backbone.width=96; may be repeated",
    )
    length = command.add_mutually_exclusive_group()
    length.add_argument(
        "--epochs", type=int, help="epochs, the whole schedule scaled with them"
    )
    length.add_argument(
        "--scale", type=float, help="factor of epochs and schedule, such as 0.1"
    )
    for name, about in (
        ("--width-scale", "factor of the width of the network"),
        ("--data-share", "share of the training images of each class"),
    ):
        command.add_argument(name, type=float, metavar="X", help=about)
    command.add_argument(
        "--protocol",
        choices=("validation", "paper"),
        help="which images choose: validation images, or none (train on all training "
        "images, watch the test images, report the last epoch)",
    )
    command.add_argument(
        "--val-share",
        type=float,
        metavar="X",
        help="share of the training images to validate on, where the set has no "
        "validation split (default: 0.1)",
    )
    command.add_argument("--seed", type=int, help="of all chance (default: 0)")
    command.add_argument("--precision", choices=("float32", "bfloat16"))
    command.add_argument(
        "--apply-on",
        choices=("pipeline", "device"),
        help="where images are augmented and mixed in pixels",
    )
    command.add_argument(
        "--on-error",
        choices=("when_read", "refuse", "skip"),
        default="when_read",
        help="damaged image files: end when one is read, or read all files first and "
        "end with a list of them, or leave them out and list them in skipped.json "
        "(default: when_read)",
    )
    command.add_argument(
        "--output",
        help="new folder of the run (default: runs/DATA-METHOD-BACKBONE-seedN)",
    )
    command.add_argument(
        "--single",
        action=argparse.BooleanOptionalAction,
        help="train the single network too (default: where no name is given)",
    )
    command.add_argument(
        "--single-cutmix",
        action=argparse.BooleanOptionalAction,
        help="train the single network with CutMix too, the baseline that mixes as "
        "the recipe does (default: where neither a name nor --single is given)",
    )
    command.add_argument(
        "--tensorboard", action="store_true", help="write logs for TensorBoard"
    )
    _add_devices(command)


def add_resume(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = commands.add_parser(
        "resume",
        help="resume an interrupted run",
        description="Resumes a run from its last checkpoint. Finished trainings are "
        "not repeated.",
    )
    command.add_argument("run", help="folder of the run")
    _add_devices(command)


def _add_devices(command):
    command.add_argument(
        "--steps-per-execution",
        type=int,
        metavar="K",
        help="training steps that one call to the device runs, on JAX and TensorFlow "
        "(default: 1, or up to 100 on JAX with an accelerator)",
    )
    command.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help="devices that share each batch; on PyTorch as many processes are started, "
        "unless torchrun did so (default: one, or all that were started together)",
    )
    command.add_argument(
        "--timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="how long to wait for another process (default: 600)",
    )


def processes_to_start(devices: int | None) -> int:
    """How many processes a number of devices asks for beside this one, or 0."""
    import keras

    is_torch = keras.config.backend() == "torch"
    if not is_torch or is_one_of_several() or devices is None or devices < 2:
        return 0
    return devices


# Options of the command that are options of the recipe.
OF_RECIPES = {
    "width_scale": "width_scale",
    "data_share": "data.share",
    "protocol": "data.protocol",
    "val_share": "data.val_share",
    "seed": "seed",
    "precision": "precision",
    "apply_on": "pairs.apply_on",
}


def check_train(name, settings, output, **options) -> None:
    """Refuses an unknown recipe, a file that is no TOML, and a folder in use."""
    from keras_mixvit.recipes._names import is_recipe_file, whole_name
    from keras_mixvit.recipes._recipe_toml import from_toml
    from keras_mixvit.recipes._setting_words import setting_words
    from keras_mixvit.training._run_folder import require_new_folder

    if name is not None:
        (from_toml if is_recipe_file(name) else whole_name)(name)
    setting_words(settings)
    # Process 0 of several makes the folder, and may have done so.
    if output is not None and not is_one_of_several():
        require_new_folder(output)


def check_resume(run, **options) -> None:
    """Refuses what is no run."""
    from keras_mixvit.training._found_runs import require_run

    require_run(run)


def run_train(
    output,
    single,
    single_cutmix,
    tensorboard,
    devices,
    timeout,
    on_error,
    steps_per_execution,
    **options,
) -> int:
    """Trains and prints the table."""
    from keras_mixvit.recipes._chosen_recipe import chosen_recipe
    from keras_mixvit.training._train import train

    console = _console()
    given = {key: options.pop(name) for name, key in OF_RECIPES.items()}
    options["settings"] = options["settings"] + [
        f"{key}={value}" for key, value in given.items() if value is not None
    ]
    recipe, remarks = chosen_recipe(**options)
    for remark in remarks:
        console.print(remark, markup=False)
    is_demonstration = options["name"] is None and single is None
    if single_cutmix is None:
        single_cutmix = is_demonstration
    folder, rows = train(
        recipe,
        output,
        bool(single or is_demonstration),
        data_dir=options["data_dir"],
        tensorboard=tensorboard,
        devices=devices,
        timeout=timeout,
        tell=_printing(console),
        on_error=on_error,
        steps_per_execution=steps_per_execution,
        single_cutmix=single_cutmix,
    )
    print_run(console, folder, rows)
    return 0


def run_resume(run, devices, timeout, steps_per_execution) -> int:
    """Resumes and prints the table."""
    from keras_mixvit.training._resume import resume

    console = _console()
    folder, rows = resume(
        run,
        devices=devices,
        timeout=timeout,
        tell=_printing(console),
        steps_per_execution=steps_per_execution,
    )
    print_run(console, folder, rows)
    return 0


def _console():
    import keras

    from keras_mixvit.training._devices import is_quiet
    from keras_mixvit.training._run_figures import has_matplotlib

    console = make_console(quiet=is_quiet())
    console.print(f"Keras {keras.version()} on {keras.config.backend()}")
    if not has_matplotlib():
        console.print(
            "No figures: matplotlib is missing (pip install 'keras_mixvit[figures]').",
            markup=False,
        )
    return console


def _printing(console):
    def tell(sentence):
        console.print(sentence, markup=False)

    return tell
