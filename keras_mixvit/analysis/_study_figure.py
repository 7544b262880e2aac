"""The figure of a study: every seed of every row."""

from typing import Any

from keras_mixvit.analysis._style import COLOURS, GREY, new_figure, style

PANELS = (
    ("accuracy", 100, "test accuracy (%), more is better"),
    ("calibrated_nll", 1, "test NLL_c, lower is better"),
)
# Inches.
MARGINS, PER_ROW = 0.95, 0.36


@style()
def draw(results: dict[str, Any], path: str) -> None:
    """Draws accuracy and NLL_c: points for seeds, and mean with standard deviation.

    Args:
        results: The content of `NAME.json`.
        path: Path of the file to write.
    """
    rows = [row for row in results["rows"] if row["summary"].get("accuracy")]
    names = [row["row"] for row in rows]
    # A name of 40 letters takes 2.6 inches.
    longest = max(map(len, names), default=0)
    figure = new_figure(MARGINS + PER_ROW * max(1, len(rows)), 6.0 + 0.065 * longest)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (score, factor, label) in zip(panels, PANELS, strict=True):
        for place, row in enumerate(rows):
            is_baseline = row["row"] == results["baseline"]
            colour = COLOURS[1] if is_baseline else COLOURS[0]
            _draw_row(axes, place, row, results["cells"], score, factor, colour)
        base = [row for row in rows if row["row"] == results["baseline"]]
        if base and base[0]["summary"][score]["mean"] is not None:
            mean = factor * base[0]["summary"][score]["mean"]
            axes.axvline(mean, color=COLOURS[1], linewidth=0.8, linestyle=":", zorder=1)
        axes.set_xlabel(label)
        axes.grid(axis="x")
        axes.margins(x=0.06)
        axes.locator_params(axis="x", nbins=5)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(rows)), names)
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    counts = {row["summary"]["accuracy"]["count"] for row in rows} or {0}
    seeds = str(*counts) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    figure.suptitle(
        f"{results['name']}: points are seeds ({seeds}), bars mean ± standard "
        "deviation; the baseline is orange",
        fontsize=8,
    )
    figure.savefig(path)


def _draw_row(axes, place, row, cells, score, factor, colour):
    found = row["summary"].get(score)
    if not found or found["mean"] is None:
        return
    values = [
        factor * cell["scores"][score]
        for cell in cells
        if cell["row"] == row["row"] and cell["scores"][score] is not None
    ]
    below = [place + 0.17] * len(values)
    axes.plot(values, below, "o", color=GREY, markersize=3, alpha=0.8, zorder=2)
    spread = None if found["sd"] is None else factor * found["sd"]
    axes.errorbar(
        factor * found["mean"],
        place - 0.08,
        xerr=spread,
        fmt="o",
        color=colour,
        capsize=3,
        zorder=3,
    )
