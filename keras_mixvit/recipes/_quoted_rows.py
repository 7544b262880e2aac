"""Rows that the papers quote from others and that no recipe trains."""

from keras_mixvit.recipes._published import Published

# Place, row, parameters in millions; accuracy on the sets of the place.
MIXVIT_SETS = ("cifar100", "cifar10", "tiny-imagenet", "imagenet100")
MIXVIT_TABLE_1 = (
    ("CCT-7/3x1", 4, 77.1, 94.8, None, None),
    ("DeiT-T", 5, 67.5, 88.4, None, None),
    ("PVT-T", 13, 69.6, 90.5, None, None),
    ("ViT", 3, 73.8, 93.6, 57.1, None),
    ("PiT-XS", 7, 79.0, 95.9, 60.3, None),
    ("SL-PiT-XS", 9, 75.0, 94.2, 62.9, None),
    ("CaiT-XXS-24", 9, 76.9, 94.9, 64.4, None),
    ("SL-CaiT-XXS-24", 9, 80.3, 95.8, 67.1, None),
    ("Dytox", 10, 76.0, None, None, 79.1),
    ("Swin-T", 29, 53.3, 59.5, None, 82.7),
    ("T2T-ViT-14", 22, 65.2, 84.2, None, 82.7),
    ("CvT-13", 20, 73.5, 89.0, None, 85.6),
    ("CvT-13 + DrLoc", 20, 74.5, 90.3, None, 86.1),
)
MIXVIT_OTHERS = (
    ("Table 3", "imagenet1k: ResNet 50, single", None, 76.1),
    ("Table 3", "imagenet1k: ResNet 50, MIMO", None, 77.5),
    ("Table 9", "tiny-imagenet: ViT", 3, 57.1),
    ("Table 9", "tiny-imagenet: T2T", 7, 60.6),
    ("Table 9", "tiny-imagenet: PiT", 7, 60.3),
    ("Table 9", "tiny-imagenet: Swin", 7, 60.9),
    ("Table 9", "tiny-imagenet: CaiT-XXS-24", 9, 64.4),
    ("Table 9", "tiny-imagenet: SL-CaiT-XXS-24", 9, 67.1),
    ("Table 10", "imagenet100: Dytox", 10, 79.1),
    ("Table 10", "imagenet100: T2T-ViT-14", 22, 82.7),
    ("Table 10", "imagenet100: T2T-ViT-14 + DrLoc", 22, 83.7),
    ("Table 10", "imagenet100: Swin-T", 29, 82.7),
    ("Table 10", "imagenet100: Swin-T + DrLoc", 29, 84.0),
    ("Table 10", "imagenet100: CvT-13", 20, 85.6),
    ("Table 10", "imagenet100: CvT-13 + DrLoc", 20, 86.1),
)
CAIT_NOTE = (
    "Not the published CaiT-XXS-24, which has 11.6 million parameters, but the one of "
    "those who report it."
)
PRINTED_MIXMO = ("accuracy", "top5", "nll_c", "nll", "ece")
# Place, row; top 1, top 5, NLL_c, NLL, ECE in percent.
MIXMO = (
    ("Table 1", "cifar100: ResizeMix", 84.31),
    ("Table 1", "cifar10: ResizeMix", 97.60),
    ("Table 1", "cifar100: Puzzle-Mix", 84.31, 96.46, 0.668),
    ("Table 1", "cifar100: GradAug", 84.14, 96.43),
    ("Table 1", "cifar100: GradAug + CutMix", 85.51, 96.86),
    ("Table 1", "cifar100: Mixup BA", 84.30),
    ("Table 1", "cifar10: Mixup BA", 97.80),
    ("Table 5", "w = 1: Manifold Mixup", 58.70, None, 1.92),
    ("Table 5", "w = 1: Co-Mixup", 64.15),
    ("Table 5", "w = 1: Puzzle-Mix", 64.48, None, 1.65),
    ("Table 8", "cifar100: Hard PatchUp", 83.87, None, None, 0.660),
    ("Table 8", "cifar10: Hard PatchUp", 97.47, None, None, 0.114),
    ("Table 8", "cifar100: Puzzle-Mix", 84.05, 96.08, 0.669, 0.681, 0.0276),
    ("Table 8", "cifar100: GradAug", 83.98, 96.28),
    ("Table 8", "cifar100: GradAug + CutMix", 85.25, 96.85),
    ("Table 8", "cifar100: Mixup BA", 84.30),
    ("Table 8", "cifar10: Mixup BA", 97.80),
    ("Table 8", "cifar100: MIMO (M = 3)", 82.0, None, None, 0.690, 0.022),
    ("Table 8", "cifar10: MIMO (M = 3)", 96.4, None, None, 0.123, 0.010),
)
MIXMO_TABLE_4 = (
    ("Puzzle-Mix", 58.09, 77.3, 1.96),
    ("Puzzle-Mix, AugMix", 70.46, 87.7, 1.34),
)


def quoted_rows() -> list[Published]:
    """Every quoted row, without a recipe."""
    rows = []
    for text, parameters, *values in MIXVIT_TABLE_1:
        for data, value in zip(MIXVIT_SETS, values, strict=True):
            if value is not None:
                rows.append(_mixvit("Table 1", f"{data}: {text}", parameters, value))
    rows += [_mixvit(*row) for row in MIXVIT_OTHERS]
    for place, text, *values in MIXMO:
        rows.append(_mixmo(place, text, PRINTED_MIXMO, values))
    for text, *values in MIXMO_TABLE_4:
        names = ("c_accuracy", "c_top5", "c_nll")
        rows.append(_mixmo("Table 4", text, names, values))
    return rows


def _mixvit(place, text, parameters, accuracy):
    figures = (("accuracy", accuracy),)
    if parameters is not None:
        figures += (("parameters", parameters),)
    note = CAIT_NOTE if text.endswith(": CaiT-XXS-24") else ""
    return Published("MixViT", place, text, figures, note=note)


def _mixmo(place, text, names, values):
    figures = zip(names, values, strict=False)
    figures = tuple(figure for figure in figures if figure[1] is not None)
    return Published("MixMo", place, text, figures)
