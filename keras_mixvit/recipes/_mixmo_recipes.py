"""The MixMo paper's trainings, by what varies in them."""

from keras_mixvit.recipes._recipe import Recipe

# What an approach of the paper is, by the name it has there.
APPROACHES = {
    "vanilla": {"method": "single"},
    "mixup": {"method": "mixup"},
    "cutmix": {"method": "cutmix"},
    "manifold-mixup": {"method": "manifold-mixup"},
    "mimo": {"method": "mimo"},
    "linear-mixmo": {"method": "linear-mixmo"},
    "linear-mixmo-cutmix": {"method": "linear-mixmo", "pixel_mixing": "cutmix"},
    "cut-mixmo": {"method": "cut-mixmo"},
    "cut-mixmo-cutmix": {"method": "cut-mixmo", "pixel_mixing": "cutmix"},
}
# A row of a table is the training that was published. So it trains on all
# training images, where the default would keep some for validation. The paper
# reports the epoch of the highest test accuracy (Section 6.4): here the last one
# counts, as in its Table 8, because test images must not choose.
PROTOCOL = {"protocol": "paper"}
# Section 6.4.
CIFAR = {
    **PROTOCOL,
    "backbone": "wideresnet",
    "depth": 28,
    "augmentation": "crop-flip",
    "batch_size": 64,
    "epochs": 300,
    "learning_rate": 0.1,
    "batch_rule": "linear",
    "base_batch_size": 128,
    "l2": 3e-4,
    "warmup_epochs": 1.0,
    "decay_epochs": (100, 200, 225),
}
TINY = {
    **PROTOCOL,
    "data": "tiny-imagenet",
    "backbone": "preactresnet",
    "augmentation": "crop-flip",
    "batch_size": 100,
    "epochs": 1200,
    "learning_rate": 0.2,
    "batch_rule": "linear",
    "base_batch_size": 100,
    "l2": 5e-5,
    "warmup_epochs": 1.0,
    "decay_epochs": (600, 900),
}
TINY_NOTE = (
    "The weight decay of 1e-4 of the paper's SGD is coupled: the gradient is that of "
    "5e-5 times the sum of squares. The warm-up of one epoch is the code's; the paper "
    "has it for CIFAR only. Rates fall after epochs 600 and 900, as in the paper; in "
    "the code one epoch earlier."
)
# MIMO's protocol, which Section 6.9 follows: its published code.
IMAGENET = {
    **PROTOCOL,
    "data": "imagenet1k",
    "image_size": 224,
    "backbone": "resnet",
    "augmentation": "imagenet-crop-flip",
    "batch_size": 4096,
    "epochs": 150,
    "learning_rate": 0.1,
    "batch_rule": "linear",
    "base_batch_size": 256,
    "l2": 1e-4,
    "warmup_epochs": 5.0,
    "decay_epochs": (50, 100, 133),
}
IMAGENET_NOTE = (
    "The paper only says that the protocol is MIMO's: batch, rate, warm-up, falls and "
    "L2 are those of its published code, for single networks too. That code leaves "
    "batch norm out of L2 and repeats inputs in 0.6 of the pairs; here L2 is on all "
    "parameters and, as elsewhere in MixMo, no input is repeated. Two repetitions, "
    "MIMO's number, are a guess for Cut-MixMo."
)
M3_NOTE = "Boxes for one input and interpolation of the others (Eq. 7)."


def cifar(
    approach: str,
    data: str = "cifar100",
    widening: int = 10,
    repetitions: int = 1,
    members: int = 1,
    suffix: str = "",
    **changes,
) -> Recipe:
    """A WRN-28-w on CIFAR.

    Args:
        approach: String, a name of `APPROACHES`.
        data: `"cifar100"` or `"cifar10"`. Defaults to `"cifar100"`.
        widening: Integer w. Defaults to `10`.
        repetitions: Integer b. Defaults to `1`.
        members: Integer N. Defaults to `1`.
        suffix: String, the end of the name, which tells of `changes`. Defaults
            to `""`.
        **changes: Further fields.

    Returns:
        A `Recipe`.
    """
    options = {**CIFAR, "data": data, "widening": widening, **changes}
    stem = f"{data}-wrn28-{widening}"
    return _recipe(stem, approach, repetitions, members, suffix, options)


def tiny(
    approach: str, widening: int = 1, repetitions: int = 1, members: int = 1
) -> Recipe:
    """A PreActResNet-18-w on Tiny ImageNet.

    Args:
        approach: String, a name of `APPROACHES`.
        widening: Integer w. Defaults to `1`.
        repetitions: Integer b. Defaults to `1`.
        members: Integer N. Defaults to `1`.

    Returns:
        A `Recipe`.
    """
    options = {**TINY, "widening": widening, "note": TINY_NOTE}
    stem = f"tiny-imagenet-res18-{widening}"
    return _recipe(stem, approach, repetitions, members, "", options)


def imagenet(approach: str, widening: int, repetitions: int = 1) -> Recipe:
    """A ResNet-18-w on ImageNet.

    Args:
        approach: String, a name of `APPROACHES`.
        widening: Integer w.
        repetitions: Integer b. Defaults to `1`.

    Returns:
        A `Recipe`.
    """
    options = {**IMAGENET, "widening": widening, "note": IMAGENET_NOTE}
    stem = f"imagenet1k-res18-{widening}"
    return _recipe(stem, approach, repetitions, 1, "", options)


def _recipe(stem, approach, repetitions, members, suffix, options):
    is_repeated = APPROACHES[approach]["method"] in ("mimo",) or "mixmo" in approach
    parts = [stem, approach, suffix]
    parts.append(f"b{repetitions}" if is_repeated else "")
    parts.append(f"n{members}" if members > 1 else "")
    return Recipe(
        name="-".join(part for part in parts if part),
        repetitions=repetitions,
        num_members=members,
        **{**APPROACHES[approach], **options},
    )
