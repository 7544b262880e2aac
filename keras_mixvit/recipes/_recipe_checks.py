"""What a recipe may say, and which options go with what."""

import dataclasses

from keras_mixvit._checks import (
    is_integer,
    require,
    require_choice,
    require_known,
    require_positive_integer,
    require_rate,
)
from keras_mixvit.backbones import backbone_names
from keras_mixvit.data.sets._validation_split import require_val_share
from keras_mixvit.recipes._augmentations import augmentation_names
from keras_mixvit.recipes._class_weighting import require_class_weight
from keras_mixvit.recipes._protocol import PROTOCOLS
from keras_mixvit.recipes._published import Published
from keras_mixvit.recipes._settings import LARGEST, is_of, kinds, told

FREE_TRANSFORMERS = ("convit", "cait")
TRANSFORMERS = (*FREE_TRANSFORMERS, *backbone_names())
CONVITS = tuple(name for name in TRANSFORMERS if name.startswith("convit"))
RESIDUAL = ("wideresnet", "preactresnet", "resnet")
SEVERAL = ("mixvit", "mimo", "linear-mixmo", "cut-mixmo")
MIXMO = SEVERAL[1:]
SINGLE = ("single", "cutmix", "mixup", "manifold-mixup")
METHODS = (*SEVERAL, *SINGLE)
MASKS = (
    "cutmix",
    "patch-cutmix",
    "horizontal-concatenation",
    "vertical-concatenation",
    "patchup",
    "fmix",
    "cowmask",
)
PIXEL_MIXINGS = ("none", "cutmix", "mixup", "cutmix+mixup")
# Options that say nothing where a method, a backbone or an optimizer has no
# use for them.
OF_METHODS = {
    "num_subnetworks": SEVERAL,
    "source_attribution": ("mixvit",),
    "attribution_position": ("mixvit",),
    "input_mixing": ("mixvit",),
    "owner_per": ("mixvit",),
    "inference": SEVERAL,
    "alternation": ("mixvit",),
    "masks": ("cut-mixmo",),
    "probability": ("cut-mixmo",),
    "always_binary": ("cut-mixmo",),
    "mixing": ("cut-mixmo",),
    "alpha": ("mixvit", "linear-mixmo", "cut-mixmo", "manifold-mixup"),
    "r": ("linear-mixmo", "cut-mixmo"),
    "num_stems": MIXMO,
    "num_classifiers": MIXMO,
    "member_order": MIXMO,
    "input_repetition": SEVERAL,
    "places": ("manifold-mixup",),
    "pixel_mixing": (*SEVERAL, "single"),
    "pixel_probability": (*SEVERAL, "single", "cutmix", "mixup"),
    "pixel_alpha": (*SEVERAL, "single", "cutmix", "mixup"),
    "pixel_mixup_alpha": (*SEVERAL, "single"),
    "pixel_partners": (*SEVERAL, "single", "cutmix", "mixup"),
    "visible_share": SEVERAL,
}
OF_BACKBONES = {
    "patch_size": TRANSFORMERS,
    "width": TRANSFORMERS,
    "num_heads": TRANSFORMERS,
    "num_blocks": TRANSFORMERS,
    "num_class_blocks": TRANSFORMERS,
    "stochastic_depth_rate": TRANSFORMERS,
    "dropout_rate": TRANSFORMERS,
    "trunk_attention": CONVITS,
    "depth": ("wideresnet",),
    "strided": ("wideresnet",),
    "widening": RESIDUAL,
    "l2": RESIDUAL,
}
OF_OPTIMIZERS = {"momentum": ("sgd",), "nesterov": ("sgd",)}
CHOICES = {
    "protocol": PROTOCOLS,
    "method": METHODS,
    "source_attribution": ("embedding", "encoding", "none"),
    "attribution_position": ("late", "early"),
    "input_mixing": ("binarized_cutmix", "averaged_masks", "all_tokens"),
    "owner_per": ("batch", "sample"),
    "alternation": ("random", "checkerboard"),
    "ensemble_of": ("logits", "probabilities"),
    "masks": MASKS,
    "mixing": ("dirichlet", "two"),
    "member_order": ("random", "by_ratio", None),
    "trunk_attention": ("class_attention", "self_attention", None),
    "strided": ("second", "first"),
    "pixel_mixing": PIXEL_MIXINGS,
    "pixel_partners": ("dataset", "batch"),
    "apply_on": ("pipeline", "device"),
    "optimizer": ("adamw", "sgd", None),
    "batch_rule": ("none", "sqrt", "linear"),
    "precision": ("float32", "bfloat16"),
}
KNOWN = {
    "backbone": (*TRANSFORMERS, *RESIDUAL),
    "augmentation": augmentation_names(),
}
AT_LEAST_ONE = (
    "num_members",
    "places",
    "crop_padding",
    "repetitions",
    "batch_size",
    "epochs",
    "base_batch_size",
    "image_size",
    "patch_size",
)
RATES = ("dropout_rate", "stochastic_depth_rate", "label_smoothing", "momentum")
SHARES = ("probability", "input_repetition", "random_erasing", "pixel_probability")
POSITIVE = (
    "alpha",
    "r",
    "width_scale",
    "pixel_alpha",
    "pixel_mixup_alpha",
    "epoch_scale",
    "learning_rate",
    "decay_rate",
)


def require_types(recipe) -> None:
    """Requires every field to be of its type, and makes numbers of a kind."""
    for field in dataclasses.fields(recipe):
        value, found = getattr(recipe, field.name), kinds(field.type)
        # Hundreds of recipes are made at once: texts are made where needed.
        if not is_of(value, found):
            require(
                False, f"`{field.name}` must be {told(found)}.", **{field.name: value}
            )
        parts = value if isinstance(value, tuple) else (value,)
        kind = Published if field.name == "published" else (int, float)
        if parts is value and not all(isinstance(part, kind) for part in parts):
            wanted = "rows" if kind is Published else told(found)
            require(False, f"`{field.name}` must be {wanted}.", **{field.name: value})
        if any(is_integer(part) and abs(part) > LARGEST for part in parts):
            require(
                False,
                f"`{field.name}` must be at most 2**63 - 1.",
                **{field.name: value},
            )
        if float in found and int not in found and type(value) is int:
            object.__setattr__(recipe, field.name, float(value))


def require_recipe(recipe) -> None:
    """Requires the values of a recipe to be in range and to fit together."""
    for name, choices in CHOICES.items():
        if getattr(recipe, name) not in choices:
            require_choice(name, getattr(recipe, name), choices)
    for name, known in KNOWN.items():
        require_known(name, getattr(recipe, name), known)
    require(
        recipe.method != "mixvit" or recipe.backbone in TRANSFORMERS,
        "`backbone` must be a transformer with the method 'mixvit'.",
        backbone=recipe.backbone,
    )
    _require_use(recipe)
    for name in AT_LEAST_ONE:
        if getattr(recipe, name) is not None:
            require_positive_integer(name, getattr(recipe, name))
    require_positive_integer("seed", recipe.seed, minimum=0)
    for name in RATES:
        if getattr(recipe, name) is not None:
            require_rate(name, getattr(recipe, name))
    for name in SHARES:
        value = getattr(recipe, name)
        require(
            value is None or 0 <= value <= 1,
            f"`{name}` must be in [0, 1].",
            **{name: value},
        )
    for name in POSITIVE:
        value = getattr(recipe, name)
        require(
            value is None or 0 < value < float("inf"),
            f"`{name}` must be a positive finite number.",
            **{name: value},
        )
    for name in ("weight_decay", "l2"):
        value = getattr(recipe, name)
        require(
            value is None or 0 <= value < float("inf"),
            f"`{name}` must not be negative.",
            **{name: value},
        )
    require(
        recipe.epochs * recipe.epoch_scale <= LARGEST,
        "`epoch_scale` must give at most 2**63 - 1 epochs.",
        epoch_scale=recipe.epoch_scale,
        epochs=recipe.epochs,
    )
    require(
        recipe.resolved_learning_rate < float("inf"),
        "`learning_rate` must be finite with its rule.",
        learning_rate=recipe.learning_rate,
        batch_rule=recipe.batch_rule,
        batch_size=recipe.batch_size,
    )
    require(
        0 < recipe.data_share <= 1,
        "`data_share` must be in (0, 1].",
        data_share=recipe.data_share,
    )
    require_class_weight(recipe.class_weight)
    if recipe.val_share is not None:
        require_val_share(recipe.val_share)
        require(
            recipe.protocol == "validation",
            "`val_share` must not be set with the protocol 'paper'; set protocol to "
            "'validation' too.",
            val_share=recipe.val_share,
        )
    require(
        recipe.batch_size % recipe.repetitions == 0,
        "`repetitions` must divide `batch_size`.",
        repetitions=recipe.repetitions,
        batch_size=recipe.batch_size,
    )
    _require_schedule(recipe)


def _require_schedule(recipe):
    advice = "`epoch_scale` shortens a training with its schedule"
    require(
        0 <= recipe.resolved_warmup_epochs < recipe.epochs,
        f"`warmup_epochs` must be in [0, epochs); {advice}.",
        warmup_epochs=recipe.warmup_epochs,
        epochs=recipe.epochs,
    )
    require(
        all(0 < epoch < recipe.epochs for epoch in recipe.resolved_decay_epochs),
        f"`decay_epochs` must be in (0, epochs); {advice}.",
        decay_epochs=recipe.decay_epochs,
        epochs=recipe.epochs,
    )


def _require_use(recipe):
    choosers = {
        "method": (recipe.method, OF_METHODS),
        "backbone": (recipe.backbone, OF_BACKBONES),
        "optimizer": (recipe.resolved_optimizer, OF_OPTIMIZERS),
    }
    for chooser, (chosen, uses) in choosers.items():
        for name, users in uses.items():
            value = getattr(recipe, name)
            if chosen not in users and value != getattr(type(recipe), name):
                require(
                    False,
                    f"`{name}` must be left alone with the {chooser} {chosen!r}.",
                    **{name: value},
                )
    require(
        recipe.method in SEVERAL
        or recipe.num_members > 1
        or recipe.ensemble_of == "logits",
        "`ensemble_of` must be left alone with one network of one subnetwork.",
        ensemble_of=recipe.ensemble_of,
    )
    kind = recipe.resolved_pixel_mixing
    for name in ("pixel_probability", "pixel_alpha", "pixel_partners", "visible_share"):
        value = getattr(recipe, name)
        require(
            kind != "none" or value == getattr(type(recipe), name),
            f"`{name}` must be left alone without mixing in pixels.",
            **{name: value},
        )
    require(
        kind == "cutmix+mixup" or recipe.pixel_mixup_alpha is None,
        "`pixel_mixup_alpha` must be left alone without 'cutmix+mixup'.",
        pixel_mixup_alpha=recipe.pixel_mixup_alpha,
    )
    require(
        recipe.apply_on == "pipeline" or recipe.is_augmented or kind != "none",
        "`apply_on` must be left alone where images are neither augmented nor mixed "
        "in pixels.",
        apply_on=recipe.apply_on,
    )
