"""The MixViT paper's trainings, by what varies in them."""

from keras_mixvit.recipes._recipe import Recipe

PATCH_SIZES = {"cifar10": 4, "cifar100": 4, "tiny-imagenet": 8}
VARIANTS = {
    "single": {"method": "single"},
    "mixvit-embedding": {"method": "mixvit"},
    "mixvit-encoding": {"method": "mixvit", "source_attribution": "encoding"},
    "mixvit-no-attribution": {"method": "mixvit", "source_attribution": "none"},
    "mimo": {"method": "mimo"},
    "cut-mixmo": {"method": "cut-mixmo", "r": 1.0},
}
# Section 4 and Appendix H. A row of a table is the training that was published,
# on all training images. The paper reports the best epoch: here the last one
# counts, because the images that judge a network must not choose it.
COMMON = {
    "protocol": "paper",
    "random_erasing": 0.25,
    "pixel_mixing": "cutmix+mixup",
    "pixel_probability": 1.0,
    "pixel_partners": "batch",
    "label_smoothing": 0.1,
    "epochs": 150,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "batch_rule": "sqrt",
    "weight_decay": 0.05,
    "warmup_epochs": 15.0,
    "decay_epochs": (125, 140),
}
DOUBLED = ("tiny-imagenet", "imagenet100")
NOTE = (
    "128 is no multiple of three batch augmentations: the batch is 129, as it becomes "
    "in the code on which the paper's was built, and so is the base of the rate. "
    "Probabilities of erasing and of mixing in pixels are DeiT's, and so is that "
    "partners are of the same batch."
)
CONVIT_NOTE = (
    " Appendix H says two self-attention blocks, Section 4 and Algorithm 2 two class-"
    "attention blocks, as here; stochastic depth is stated for CaiT only."
)
DOUBLED_NOTE = (
    " Weight decay and stochastic depth are doubled for MixViT, not for the single "
    "network: the paper checked it with both and does not say which it reports."
)
CROP_NOTES = {
    "tiny-imagenet": " The crop is MixMo's, with a padding of 4; the paper has none.",
    "imagenet100": " The crop is DeiT's; the paper says nothing of it.",
}
CROP_NOTES["imagenet1k"] = CROP_NOTES["imagenet100"]


def transformer(
    variant: str,
    data: str = "cifar100",
    backbone: str = "convit_mixvit",
    repetitions: int = 3,
    suffix: str = "",
    **changes,
) -> Recipe:
    """A transformer with the paper's regularisation.

    Args:
        variant: String, a name of `VARIANTS`.
        data: `"cifar100"`, `"cifar10"`, `"tiny-imagenet"`, `"imagenet100"` or
            `"imagenet1k"`. Defaults to `"cifar100"`.
        backbone: String, a name that `make_backbone` knows. Defaults to
            `"convit_mixvit"`.
        repetitions: Integer b, batch augmentations. Defaults to `3`.
        suffix: String, the end of the name, which tells of `changes`. Defaults
            to `""`.
        **changes: Further fields.

    Returns:
        A `Recipe`.
    """
    is_cait = backbone.startswith("cait")
    is_small = data in PATCH_SIZES
    is_doubled = variant != "single" and data in DOUBLED
    batch_size = 128 if is_small else 1048
    # The next multiple of the repetitions.
    batch_size = -(-batch_size // repetitions) * repetitions
    kind = "crop-flip" if is_small else "imagenet"
    options = {
        **COMMON,
        "data": data,
        "image_size": None if is_small else 224,
        "backbone": backbone,
        "patch_size": PATCH_SIZES.get(data, 16),
        "stochastic_depth_rate": 0.05 if is_cait else 0.0,
        "augmentation": f"{kind}-autoaugment",
        "repetitions": repetitions,
        "batch_size": batch_size,
        "base_batch_size": batch_size,
    }
    if is_doubled:
        options["weight_decay"] *= 2
        options["stochastic_depth_rate"] *= 2
    note = NOTE if batch_size == 129 else ""
    note += CROP_NOTES.get(data, "")
    note += "" if is_cait else CONVIT_NOTE
    note += DOUBLED_NOTE if data in DOUBLED else ""
    note += changes.pop("note", "")
    short = backbone.removesuffix("_mixvit").replace("_", "-")
    parts = (data, short, variant, suffix)
    return Recipe(
        name="-".join(part for part in parts if part),
        note=note.strip(),
        **{**options, **VARIANTS[variant], **changes},
    )
