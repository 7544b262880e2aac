"""Checks that the parts of a recipe fit together."""

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.data import PixelMixing
from keras_mixvit.recipes._augmentations import AUGMENTATIONS, DEIT_SIDE
from keras_mixvit.recipes._option_names import named_as, of_part
from keras_mixvit.recipes._values import LARGEST, parameters

# Options of optimizers that are integers, and their minimums.
COUNTS = {"gradient_accumulation_steps": 2, "ema_overwrite_frequency": 1}
# Options of a schedule that make sense for pretrained weights only.
OF_PRESETS = {"layer_decay": 1.0, "frozen_blocks": 0, "new_layer_epochs": 0.0}


def require_fitting(recipe) -> None:
    """Requires values in range that fit together.

    Args:
        recipe: `Recipe`, whose parts are already checked.

    Raises:
        ValueError: If they do not.
    """
    for name in ("batch_size", "epochs", "num_members"):
        require_positive_integer(name, getattr(recipe, name))
    require_positive_integer("seed", recipe.seed, minimum=0)
    for name in ("epoch_scale", "width_scale"):
        require(
            0 < getattr(recipe, name) < float("inf"),
            f"`{name}` must be a positive finite number.",
            **{name: getattr(recipe, name)},
        )
    pixel_mixing = recipe.pixel_mixing
    if pixel_mixing.name != "none":
        with named_as(of_part("pixel_mixing", parameters(PixelMixing))):
            PixelMixing(pixel_mixing.name, **pixel_mixing.options)
    _require_augmentation(**recipe.augmentation.to_dict())
    _require_optimizer(recipe.optimizer.options)
    require(
        recipe.method.name != "mixvit" or not recipe.is_residual,
        "`backbone` must be a transformer with the method 'mixvit'. On residual "
        "networks, take 'cut_mixmo', 'linear_mixmo', 'mimo', 'manifold_mixup' or "
        "'single'.",
        backbone=recipe.backbone.name,
    )
    _require_use(recipe)
    _require_preset(recipe)
    require_positive_integer("pairs.repetitions", recipe.repetitions)
    require(
        recipe.batch_size % recipe.repetitions == 0,
        "`pairs.repetitions` must divide `batch_size`.",
        **{"pairs.repetitions": recipe.repetitions, "batch_size": recipe.batch_size},
    )
    _require_schedule(recipe)


def _require_augmentation(name, random_erasing=0.0, **options):
    with named_as({"padding": "augmentation.crop_padding"}):
        AUGMENTATIONS[name](DEIT_SIDE, **options)
    require(
        0 <= random_erasing <= 1,
        "`augmentation.random_erasing` must be in [0, 1].",
        **{"augmentation.random_erasing": random_erasing},
    )


def _require_optimizer(options):
    """Checks options that Keras does not check, or only when a training begins."""
    decay = options.get("weight_decay")
    require(
        decay is None or decay >= 0,
        "`optimizer.weight_decay` must not be negative.",
        **{"optimizer.weight_decay": decay},
    )
    for name in ("clipnorm", "clipvalue", "global_clipnorm", "loss_scale_factor"):
        value = options.get(name)
        require(
            value is None or value > 0,
            f"`optimizer.{name}` must be positive.",
            **{f"optimizer.{name}": value},
        )
    for name, minimum in COUNTS.items():
        if options.get(name) is not None:
            require_positive_integer(f"optimizer.{name}", options[name], minimum)
    for name in ("ema_momentum", "ema_overwrite_frequency"):
        require(
            options.get("use_ema", False) or name not in options,
            f"`optimizer.{name}` must not be set without `optimizer.use_ema`.",
            **{f"optimizer.{name}": options.get(name)},
        )


def _require_preset(recipe):
    """Refuses options that a preset decides, and those that need one."""
    if not recipe.preset:
        for name, default in OF_PRESETS.items():
            value = getattr(recipe.schedule, name)
            require(
                value == default,
                f"`schedule.{name}` must not be set without a preset, whose weights "
                "it protects.",
                **{f"schedule.{name}": value},
            )
        return
    size = recipe.backbone.options.get("patch_size")
    require(
        size is None,
        "`backbone.patch_size` must not be set with a preset, which has its own.",
        **{"backbone.patch_size": size},
    )


def _require_use(recipe):
    """Refuses options without an effect that no constructor can find."""
    mixmo = recipe.has_subnetworks and recipe.method.name != "mixvit"
    uses = {
        "pairs.input_repetition": recipe.has_subnetworks,
        "pairs.input_order": mixmo,
        "pixel_mixing.visible_share": recipe.has_subnetworks,
    }
    for key, is_used in uses.items():
        part, option = key.split(".")
        options = getattr(recipe, part).options
        require(
            is_used or option not in options,
            f"`{key}` must not be set with the method {recipe.method.name!r}.",
            **{key: options.get(option)},
        )
    mixing = recipe.mixing.options
    require(
        "probability" not in mixing or not mixing.get("always_binary"),
        "`mixing.probability` must not be set with `mixing.always_binary`.",
        **{"mixing.probability": mixing.get("probability")},
    )
    masks = mixing.get("masks", "cutmix")
    is_of_patches = masks == "cutmix" and not recipe.is_residual
    require(
        "several" not in mixing or recipe.method.options.get("num_subnetworks", 2) > 2,
        "`mixing.several` must not be set with two subnetworks.",
        **{"mixing.several": mixing.get("several")},
    )
    require(
        "several" not in mixing
        or not (is_of_patches or masks in ("patch_cutmix", "cowmask")),
        "`mixing.several` must not be set with boxes of whole patches or 'cowmask', "
        "which always mix two inputs.",
        **{"mixing.several": mixing.get("several")},
    )
    require(
        "alpha" not in mixing or masks != "cowmask" or not mixing.get("always_binary"),
        "`mixing.alpha` must not be set with 'cowmask' and `mixing.always_binary`.",
        **{"mixing.alpha": mixing.get("alpha")},
    )
    require(
        recipe.has_subnetworks
        or recipe.num_members > 1
        or recipe.ensemble_of == "logits",
        "`ensemble_of` must not be set with one network of one subnetwork.",
        ensemble_of=recipe.ensemble_of,
    )
    require(
        recipe.pairs.options.get("apply_on") != "device"
        or recipe.is_augmented
        or recipe.pixel_mixing.name != "none"
        or bool(recipe.pairs.options.get("keep_on_device")),
        "`pairs.apply_on` must not be set if images are neither augmented nor mixed "
        "in pixels.",
        **{"pairs.apply_on": recipe.pairs.options.get("apply_on")},
    )


def _require_schedule(recipe):
    schedule, epochs = recipe.schedule, recipe.epochs
    require(
        epochs * recipe.epoch_scale <= LARGEST,
        "`epoch_scale` must give at most 2**63 - 1 epochs.",
        epoch_scale=recipe.epoch_scale,
        epochs=epochs,
    )
    require(
        recipe.learning_rate < float("inf"),
        "`schedule.learning_rate` must be finite after its batch rule.",
        **{"schedule.learning_rate": schedule.learning_rate},
        batch_rule=schedule.batch_rule,
        batch_size=recipe.batch_size,
    )
    require(
        schedule.batch_rule == "none"
        or schedule.learning_rate is not None
        or recipe.optimizer_name != "sgd",
        "`schedule.batch_rule` must not be set with SGD unless "
        "`schedule.learning_rate` is set: its default has its own rule.",
        **{"schedule.batch_rule": schedule.batch_rule},
    )
    advice = "`epoch_scale` shortens a training with its schedule"
    require(
        0 <= schedule.warmup(epochs) < epochs,
        f"`schedule.warmup_epochs` must be in [0, epochs); {advice}.",
        **{"schedule.warmup_epochs": schedule.warmup_epochs, "epochs": epochs},
    )
    require(
        0 <= schedule.new_layer_epochs < epochs,
        f"`schedule.new_layer_epochs` must be in [0, epochs); {advice}.",
        **{"schedule.new_layer_epochs": schedule.new_layer_epochs, "epochs": epochs},
    )
    require(
        all(0 < epoch < epochs for epoch in schedule.falls(epochs)),
        f"`schedule.decay_epochs` must be in (0, epochs); {advice}.",
        **{"schedule.decay_epochs": schedule.decay_epochs, "epochs": epochs},
    )
