"""The commands `keras-mixvit train` and `keras-mixvit resume`."""

from keras_mixvit.cli._console import make_console
from keras_mixvit.cli._run_table import print_run
from keras_mixvit.training._devices import is_one_of_several


def processes_to_start(devices: int | None) -> int:
    """How many processes the command must start, or 0."""
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
    """Refuses an unknown recipe, a file that is not TOML, and a folder in use."""
    from keras_mixvit._paths import require_new_folder
    from keras_mixvit.recipes._names import is_recipe_file, whole_name
    from keras_mixvit.recipes._recipe_toml import from_toml
    from keras_mixvit.recipes._setting_words import setting_words

    if name is not None:
        (from_toml if is_recipe_file(name) else whole_name)(name)
    setting_words(settings)
    # Process 0 of several makes the folder, and may have done so.
    if output is not None and not is_one_of_several():
        require_new_folder("output", output)


def check_resume(run, **options) -> None:
    """Refuses a folder that is not a run."""
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
