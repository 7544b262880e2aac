from keras_mixvit._checks import is_integer, require, require_path
from keras_mixvit.data import load
from keras_mixvit.data.sets._class_folders import require_classes
from keras_mixvit.data.sets._load import splits
from keras_mixvit.data.sources._stored_images import DifferentSizes
from keras_mixvit.recipes._adapt import adapted_to, size_for
from keras_mixvit.recipes._names import is_recipe_file
from keras_mixvit.recipes._on_preset import on_preset
from keras_mixvit.recipes._option_names import OF_DATA, named_as
from keras_mixvit.recipes._protocol import cut_share
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.recipes._recipe_file import read_recipe
from keras_mixvit.recipes._registry import recipe
from keras_mixvit.recipes._values import LARGEST

# Without a name, images or a preset: few images, on which networks differ. Images and
# presets of your own start from a recipe that uses all of its images.
DEMONSTRATION = "digits-250-mixvit"
DEFAULT = "digits-mixvit"
OWN_DATA = {"data", "data.name"}


def chosen_recipe(
    name: str | None = None,
    data: str | None = None,
    data_dir: str | None = None,
    settings: list[str] | None = None,
    scale: float | None = None,
    epochs: int | None = None,
    preset: str | None = None,
) -> tuple[Recipe, list[str]]:
    """The recipe of a name, with your changes, adapted to your images.

    Args:
        name: String, the name of a recipe, the path of a `.toml` file, or `None` for a
            small recipe: on 250 digits, or on `data`. Defaults to `None`.
        data: Name or path of a data set, as in `load`. If it is not that of the recipe,
            the recipe is adapted to it. Defaults to `None`.
        data_dir: Folder of the images, as in `load`, or `None`. Defaults to `None`.
        settings: List of strings such as `"backbone.width=96"`, which the
            adaptation does not change, or `None`. `data.val_share` also sets the
            protocol `"validation"`. Defaults to `None`.
        scale: Positive float, the factor for epochs and schedule, or `None`. Defaults
            to `None`.
        epochs: Integer, the number of epochs to scale to, or `None`. Defaults to
            `None`.
        preset: String, the name or path of a preset to start from, or `None` for new
            weights. The recipe then has its backbone and image size, and a tenth of the
            learning rate. Defaults to `None`.

    Returns:
        The `Recipe`, and a list of sentences about the adaptation.

    Raises:
        ValueError: If there is no such recipe, field or data set, or they do not fit
            together.

    Example:

    ```python
    mine, remarks = chosen_recipe("mixvit-convit", data="digits", epochs=15)
    assert mine.data.name == "digits"
    assert mine.backbone.options["patch_size"] == 2
    assert mine.total_epochs == 15 and mine.is_scaled
    ```
    """
    settings = [] if settings is None else settings
    require(
        isinstance(settings, (list, tuple))
        and all(isinstance(setting, str) for setting in settings),
        "`settings` must be a list of strings, each of the form key=value, or None.",
        settings=settings,
    )
    settings = list(settings)
    keys = [setting.partition("=")[0].strip().replace("-", "_") for setting in settings]
    if "data.val_share" in keys and "data.protocol" not in keys:
        settings.append("data.protocol=validation")
    remarks = []
    if name is None:
        is_own = data is not None or preset is not None or bool(OWN_DATA & set(keys))
        name = DEFAULT if is_own else DEMONSTRATION
    start = read_recipe(name) if is_recipe_file(name) else recipe(name)
    if preset is not None:
        start, remarks = on_preset(start, preset, data)
    chosen = start.with_settings(settings)
    if data is not None:
        require_path("data", data)
    if data is not None and str(data) != chosen.data.name:
        with named_as(OF_DATA | {"name": "data"}):
            images, sizes = _loaded(chosen, data, data_dir)
        require_classes(images, str(data))
        changes = {"data.name": str(data)}
        if sizes is not None:
            changes["data.image_size"] = images.images.image_size[0]
            remarks.append(_on_sizes(sizes, images.images.image_size[0]))
        adapted, further = adapted_to(chosen, images, keys)
        remarks += further
        chosen = adapted.with_settings(changes).with_settings(settings)
    if epochs is not None:
        require(
            is_integer(epochs) and 0 < epochs <= LARGEST,
            "`epochs` must be a positive integer, or None.",
            epochs=epochs,
        )
        scale = epochs / chosen.epochs
    if scale is not None:
        chosen = chosen.scaled(scale)
    return chosen, remarks


def _loaded(chosen, data, data_dir):
    """The training images, and their sizes if these differ and none is given."""
    has = splits(data, data_dir)
    share = cut_share("validation", chosen.data.val_share, has)
    size, sizes = chosen.data.image_size, None
    try:
        images = load(data, data_dir=data_dir, image_size=size, val_share=share)
    except DifferentSizes as error:
        sizes = error.sizes
        size = size_for(sizes)
        images = load(data, data_dir=data_dir, image_size=size, val_share=share)
    return images, sizes


def _on_sizes(sizes, side):
    heights, widths = zip(*sizes, strict=True)
    return (
        f"Guess: images are resized to {side} x {side} pixels, because they differ in "
        f"size (height {min(heights)} to {max(heights)}, width {min(widths)} to "
        f"{max(widths)}); set another size with data.image_size={2 * side}."
    )
