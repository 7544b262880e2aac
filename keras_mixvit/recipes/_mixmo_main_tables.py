"""MixMo's Tables 1, 6, 8 and 9 and Figs. 5, 6 and 10: WRN-28-w on CIFAR."""

from collections.abc import Iterator

from keras_mixvit.recipes._mixmo_recipes import cifar
from keras_mixvit.recipes._published import Published
from keras_mixvit.recipes._recipe import Recipe

Rows = Iterator[tuple[Recipe, Published]]
QUOTED_MANIFOLD = "The paper quotes this row; the recipe trains it by its protocol."
NLL_NOTE = (
    "NLL_c of the same approach differs between Tables 1 and 9 for single networks and "
    "deep ensembles (0.739 and 0.750 for vanilla)."
)

# Approach, b, N; CIFAR-100: top 1, top 5, 100 NLL_c; CIFAR-10: top 1, 100 NLL_c.
TABLE_1 = (
    ("vanilla", 1, 1, 81.63, 95.49, 73.9, 96.34, 12.6),
    ("mixup", 1, 1, 83.44, 95.92, 65.7, 97.07, 11.2),
    ("manifold-mixup", 1, 1, 81.96, 95.51, 73.4, 97.45, 12.2),
    ("cutmix", 1, 1, 84.05, 96.09, 64.8, 97.23, 9.9),
    ("vanilla", 1, 2, 83.17, 96.37, 66.4, 96.67, 11.1),
    ("cutmix", 1, 2, 85.74, 96.82, 57.1, 97.52, 8.6),
    ("mimo", 2, 1, 82.40, 95.78, 68.8, 96.38, 12.1),
    ("linear-mixmo", 2, 1, 82.54, 95.99, 67.6, 96.56, 11.4),
    ("linear-mixmo-cutmix", 2, 1, 84.69, 97.12, 57.2, 97.32, 9.4),
    ("cut-mixmo", 2, 1, 84.38, 96.94, 56.3, 97.31, 8.9),
    ("cut-mixmo-cutmix", 2, 1, 85.18, 97.20, 54.5, 97.45, 8.4),
    ("mimo", 4, 1, 83.06, 96.23, 66.1, 96.74, 11.4),
    ("linear-mixmo", 4, 1, 83.08, 96.26, 65.6, 96.91, 10.8),
    ("linear-mixmo-cutmix", 4, 1, 85.47, 97.04, 55.8, 97.68, 8.7),
    ("cut-mixmo", 4, 1, 85.40, 97.22, 53.5, 97.51, 8.1),
    ("cut-mixmo-cutmix", 4, 1, 85.77, 97.42, 52.4, 97.73, 7.9),
)
# The same without early stopping. Approach, b, N; CIFAR-100: top 1, top 5, 100
# NLL_c, 100 NLL, ECE in percent; CIFAR-10: without top 5.
TABLE_8 = (
    ("vanilla", 1, 1, 81.47, 95.57, 73.6, 76.2, 6.47, 96.31, 12.5, 14.1, 1.95),
    ("mixup", 1, 1, 83.15, 95.75, 66.3, 67.3, 1.62, 97.00, 11.3, 11.5, 0.97),
    ("cutmix", 1, 1, 83.74, 96.18, 65.4, 66.1, 4.95, 97.21, 9.7, 10.8, 1.51),
    ("vanilla", 1, 2, 83.15, 96.30, 66.0, 67.2, 5.15, 96.58, 11.1, 12.2, 1.82),
    ("cutmix", 1, 2, 85.46, 96.90, 57.4, 57.5, 3.62, 97.51, 8.7, 9.0, 1.16),
    ("mimo", 2, 1, 82.04, 95.75, 69.1, 72.4, 6.32, 96.33, 12.1, 13.4, 1.89),
    ("linear-mixmo", 2, 1, 81.88, 95.97, 67.8, 70.3, 6.20, 96.55, 11.4, 12.5, 1.67),
    (
        "linear-mixmo-cutmix",
        *(2, 1, 84.55, 96.95, 57.4, 57.5, 2.54, 97.34, 8.9, 9.3, 1.34),
    ),
    ("cut-mixmo", 2, 1, 84.07, 96.97, 56.6, 57.9, 4.19, 97.26, 8.7, 9.1, 0.98),
    ("cut-mixmo-cutmix", 2, 1, 85.17, 97.28, 54.4, 54.5, 2.13, 97.33, 8.5, 8.6, 0.88),
    ("mimo", 4, 1, 82.74, 95.90, 67.0, 74.0, 7.56, 96.66, 11.5, 13.6, 1.98),
    ("linear-mixmo", 4, 1, 82.53, 96.08, 65.8, 68.5, 6.64, 96.78, 10.8, 11.8, 1.80),
    (
        "linear-mixmo-cutmix",
        *(4, 1, 85.24, 96.97, 56.3, 56.4, 3.53, 97.53, 8.8, 8.6, 1.19),
    ),
    ("cut-mixmo", 4, 1, 85.32, 97.12, 53.6, 54.8, 4.53, 97.42, 8.1, 8.4, 1.15),
    ("cut-mixmo-cutmix", 4, 1, 85.59, 97.33, 53.2, 53.3, 1.95, 97.70, 8.0, 8.2, 0.98),
)
# Columns of Table 9: approach and N, for each of which the second is with CutMix.
COLUMNS_9 = (
    ("vanilla", "cutmix", 1),
    ("vanilla", "cutmix", 2),
    ("linear-mixmo", "linear-mixmo-cutmix", 1),
    ("cut-mixmo", "cut-mixmo-cutmix", 1),
    ("cut-mixmo", "cut-mixmo-cutmix", 2),
)
# Width: top 1 and NLL_c of the ten columns, parameters in millions of one and
# two networks, MixMo, and two MixMos.
TABLE_9 = {
    2: (
        (76.44, 78.06, 79.16, 80.81, 75.82, 76.36, 75.66, 75.17, 76.98, 76.11),
        (0.921, 0.815, 0.776, 0.695, 0.841, 0.824, 0.824, 0.846, 0.7661, 0.798),
        (1.48, 2.95, 1.49, 2.99),
    ),
    3: (
        (77.95, 80.70, 80.85, 83.14, 78.51, 80.74, 79.81, 79.85, 80.78, 81.20),
        (0.862, 0.750, 0.738, 0.644, 0.760, 0.696, 0.693, 0.702, 0.635, 0.650),
        (3.31, 6.62, 3.33, 6.66),
    ),
    4: (
        (78.84, 81.55, 81.48, 83.93, 80.43, 81.66, 81.68, 81.69, 82.57, 82.58),
        (0.824, 0.711, 0.711, 0.609, 0.712, 0.656, 0.646, 0.635, 0.590, 0.588),
        (5.87, 11.74, 5.89, 11.79),
    ),
    5: (
        (79.75, 82.55, 82.18, 84.60, 80.95, 83.06, 83.11, 83.34, 83.97, 84.31),
        (0.813, 0.686, 0.693, 0.596, 0.703, 0.617, 0.598, 0.591, 0.549, 0.546),
        (9.16, 18.32, 9.19, 18.39),
    ),
    7: (
        (81.14, 83.71, 82.94, 85.52, 82.4, 84.51, 84.32, 84.94, 85.50, 85.90),
        (0.764, 0.648, 0.673, 0.573, 0.675, 0.581, 0.562, 0.543, 0.516, 0.498),
        (17.92, 35.85, 17.97, 35.94),
    ),
    10: (
        (81.63, 84.05, 83.17, 85.74, 83.08, 85.47, 85.40, 85.77, 86.04, 86.63),
        (0.750, 0.644, 0.668, 0.571, 0.656, 0.558, 0.535, 0.524, 0.494, 0.479),
        (36.53, 73.07, 36.60, 73.21),
    ),
    14: (
        (82.01, 84.31, 83.47, 85.80, 83.79, 86.05, 85.76, 86.19, 86.58, 87.11),
        (0.730, 0.645, 0.656, 0.569, 0.648, 0.545, 0.527, 0.518, 0.488, 0.473),
        (71.55, 143.1, 71.64, 143.28),
    ),
}
TABLE_6 = (
    (1, 36.6, (85.77, 0.14), (97.36, 0.02), (0.524, 0.005)),
    (2, 73.2, (86.63, 0.19), (97.73, 0.05), (0.479, 0.003)),
    (3, 109.8, (86.81, 0.17), (97.85, 0.04), (0.464, 0.002)),
)


def main_rows() -> Rows:
    """Recipes and rows of Tables 1, 6, 8 and 9 and Figs. 6 and 10."""
    yield from _two_sets("Table 1", TABLE_1, ("nll_c",))
    yield from _two_sets("Table 8", TABLE_8, ("nll_c", "nll", "ece"))
    yield from _table_9()
    for count, parameters, top1, top5, nll in TABLE_6:
        figures = (
            ("parameters", parameters),
            ("accuracy", *top1),
            ("top5", *top5),
            ("nll_c", *nll),
        )
        recipe = cifar("cut-mixmo-cutmix", repetitions=4, members=count)
        yield recipe, mixmo_row("Table 6", f"N = {count}", figures)
    for approach in (
        "mimo",
        "linear-mixmo",
        "linear-mixmo-cutmix",
        "cut-mixmo",
        "cut-mixmo-cutmix",
    ):
        yield cifar(approach), mixmo_row("Fig. 6", f"{approach}, b = 1")
    for approach, b in (
        ("vanilla", 1),
        ("cutmix", 1),
        ("cut-mixmo", 4),
        ("cut-mixmo-cutmix", 4),
    ):
        place = "Fig. 15" if approach.endswith("cutmix") else "Fig. 10"
        for width in TABLE_9:
            for count in (1, 2, 3):
                text = f"{approach}, WRN-28-{width}, N = {count}"
                recipe = cifar(approach, "cifar100", width, b, count)
                yield recipe, mixmo_row(place, text)
    yield (
        cifar("vanilla", widening=3, members=5),
        mixmo_row("Fig. 10", "vanilla, WRN-28-3, N = 5"),
    )


def _two_sets(place, table, measures) -> Rows:
    for approach, b, count, *values in table:
        found = {"cifar100": values[: 2 + len(measures)]}
        found["cifar10"] = [values[2 + len(measures)], None]
        found["cifar10"] += values[3 + len(measures) :]
        for data, (top1, top5, *others) in found.items():
            figures = [("accuracy", top1)]
            figures += [("top5", top5)] if top5 is not None else []
            figures += [
                (name, round(value / 100, 5))
                for name, value in zip(measures, others, strict=True)
            ]
            text = f"{data}: {approach}, b = {b}, N = {count}"
            note = QUOTED_MANIFOLD if approach == "manifold-mixup" else ""
            recipe = cifar(approach, data, 10, b, count)
            yield recipe, mixmo_row(place, text, tuple(figures), note)


def _table_9() -> Rows:
    for width, (top1, nll, parameters) in TABLE_9.items():
        for i, (plain, mixed, count) in enumerate(COLUMNS_9):
            several = "mixmo" in plain
            printed = parameters[2 * several + (count == 2)]
            for j, approach in enumerate((plain, mixed)):
                recipe = cifar(approach, "cifar100", width, 4 if several else 1, count)
                figures = (
                    ("accuracy", top1[2 * i + j]),
                    ("nll_c", nll[2 * i + j]),
                    ("parameters", printed),
                )
                text = f"w = {width}, {approach}, N = {count}"
                note = NLL_NOTE if width == 10 and not several else ""
                yield recipe, mixmo_row("Table 9", text, figures, note)


def mixmo_row(place: str, text: str, figures: tuple = (), note: str = "") -> Published:
    """A row of the MixMo paper."""
    return Published("MixMo", place, text, figures, note=note)
