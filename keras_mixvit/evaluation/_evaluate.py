from collections.abc import Mapping
from typing import Any, NamedTuple

from keras_mixvit._checks import require
from keras_mixvit.data import ImageSet
from keras_mixvit.evaluation._evaluation_report import EvaluationReport
from keras_mixvit.evaluation._judge import Judge
from keras_mixvit.evaluation._judged_classes import class_scores
from keras_mixvit.evaluation._judged_ood import group_scores, ood_rows, require_ood
from keras_mixvit.evaluation._judged_sets import fitted_sets, set_rows
from keras_mixvit.evaluation._predicted import (
    Group,
    graph_of,
    images_and_labels,
    predicted,
)
from keras_mixvit.models import MIMOModel


def evaluate(
    model: MIMOModel,
    data: ImageSet | tuple,
    all_schemes: bool = True,
    batch_size: int = 128,
    bins: int = 15,
    seed: int = 0,
    verbose: str | int = "auto",
    thorough: bool = False,
    ood: Mapping[str, Any] | None = None,
    held_out: ImageSet | tuple | None = None,
    bootstrap: int = 0,
) -> EvaluationReport:
    """Judges a model's ensemble and each of its subnetworks, in one pass.

    For each it gives accuracy, top-5 accuracy, NLL, calibrated NLL with the temperature
    (the mean of those of the two halves), calibration error in bins of equal width and
    in bins of equally many samples, Brier score, AUROC, AURC and excess AURC, risk at
    80 % coverage and coverage at 5 % risk. For an ensemble it also gives ratio error,
    disagreement and divergence of its subnetworks. An `Ensemble` of models is compared
    with its members, and these with their subnetworks. It judges the plain predictions,
    without the `temperature` of a model. It keeps predictions in float32; while Keras
    joins those of the batches, they are in memory twice.

    Args:
        model: Model of this library.
        data: `ImageSet`, or a tuple of images, an array `(n, H, W, C)` or a
            `keras.utils.PyDataset`, and integer labels `(n,)`. A single
            sample has no calibrated NLL (NaN).
        all_schemes: Boolean, whether to run a MIMO model in every inference
            scheme that its weights allow, not only in its own. Defaults to
            `True`.
        batch_size: Positive integer, images per step. Defaults to `128`.
        bins: Positive integer, the number of bins of calibration errors.
            Defaults to `15`.
        seed: Non-negative integer, the seed of the halves of calibrated NLL, of
            resamples and of conformal sets. Defaults to `0`.
        verbose: As in `keras.Model.predict`. Defaults to `"auto"`.
        thorough: Boolean, whether to compute what takes longer, too: for the ensembles,
            class-wise calibration error and the calibrated NLL of vector scaling and of
            one temperature per subnetwork (per member of an `Ensemble`), and, for the
            first row, the accuracy of each class and the confusion matrix. Defaults to
            `False`.
        ood: Dict from names to images out of the distribution, each an array, an
            `ImageSet`, whose labels do not matter, or a `keras.utils.PyDataset`; or
            `None`. The ensembles are judged by how well each of `ood_scores` tells
            these images from those of `data`. Defaults to `None`.
        held_out: Images and labels, as `data`, that neither trained nor chose the
            model and are not judged, to fit `ConformalSets` of 90 % coverage by every
            method, for the ensembles; or `None`. Defaults to `None`.
        bootstrap: Non-negative integer, the number of resamples of the test images for
            95 % intervals of all numbers, see `bootstrap_intervals`. What was
            fitted, such as a temperature, stays as it is and has no interval; nor
            has the confusion matrix, nor a set size per class. Images of `ood` are
            resampled too. Defaults to `0`.

    Returns:
        An `EvaluationReport`.

    Raises:
        ValueError: If the data do not fit the model, a prediction is NaN, or an option
            is out of range.

    Example:

    ```python
    model = MixViT(ConViT((8, 8, 1), 2, 8, 2, 1, 1), num_classes=10)
    noise = 16 * np.random.default_rng(0).random((50, 8, 8, 1))
    options = {"all_schemes": False, "ood": {"noise": noise}, "verbose": 0}
    report = evaluate(model, load("digits", "val"), **options)
    parts = [row["part"] for row in report.rows]
    assert parts == ["ensemble", "subnetwork 0", "subnetwork 1"]
    assert "entropy" in [row["score"] for row in report.ood]
    ```

    References:
        MixMo, Sections 4.1, 4.3.2 and 6.5; MixViT, Table 7.
    """
    options = {"thorough": thorough, "ood": ood, "held_out": held_out}
    return judged(
        *(model, data, all_schemes, batch_size, bins, seed, verbose),
        bootstrap=bootstrap,
        **options,
    ).report


class Judged(NamedTuple):
    """What `judged` found.

    Fields:
        report: The `EvaluationReport`.
        first: The `Group` of its first row, with all logits.
        scores: The `ood_scores` of the first row, of the images that are judged.
        ood: The same of each set of other images, by the name of the set.
    """

    report: EvaluationReport
    first: Group
    scores: dict[str, Any]
    ood: dict[str, dict[str, Any]]


def judged(
    model,
    data,
    all_schemes=True,
    batch_size=128,
    bins=15,
    seed=0,
    verbose="auto",
    thorough=False,
    ood=None,
    held_out=None,
    bootstrap=0,
    ood_intervals=True,
) -> Judged:
    """The result of `evaluate`, and what it was computed from.

    Without `ood_intervals`, which take longest, `ood` has none.
    """
    require_model(model)
    images, labels = images_and_labels(model, data, batch_size)
    judge = Judge(labels, bins, seed, thorough, bootstrap)
    others = require_ood(model, ood, batch_size)
    schemes = list(model.inference_schemes) or [None]
    graph, groups = graph_of(model, schemes if all_schemes else schemes[:1])
    fitted: list = [[] for _ in groups]
    if held_out is not None:
        pair = images_and_labels(model, held_out, batch_size, "held_out")
        found = predicted(graph, groups, pair[0], batch_size, verbose)
        fitted = [fitted_sets(group.averaged, pair[1], seed) for group in found]
    rows, known, conformal = [], [], []
    for group, sets in zip(
        predicted(graph, groups, images, batch_size, verbose), fitted, strict=True
    ):
        if not rows:
            first = group
        if others:
            known.append(group_scores(group))
        if sets:
            conformal += set_rows(sets, group, labels, judge.resamples)
        rows += _rows_of(group, judge)
    classes = (
        class_scores(first.averaged, labels, judge.resamples) if thorough else None
    )
    scores: dict[str, dict[str, Any]] = {}
    resamples = judge.resamples if ood_intervals else None
    found_ood = ood_rows(
        graph, groups, known, others, batch_size, verbose, resamples, scores
    )
    report = EvaluationReport(
        model.name, len(labels), rows, list(found_ood), conformal, classes
    )
    return Judged(report, first, known[0] if known else {}, scores)


def _rows_of(group, judge):
    """The row of what is averaged, and one for each of its parts."""
    names = {"inference": group.inference}
    is_single = len(group.parts) == 1
    members = None if is_single else group.logits
    scores = judge.row(group.averaged, members, group.ensemble_of)
    rows = [{**names, "part": group.part, **scores}]
    for m, part in enumerate([] if is_single else group.parts):
        if part is not None:
            scores = judge.row(group.logits[:, m], is_part=True)
            rows.append({**names, "part": part, **scores})
    return rows


def require_model(model):
    """Requires a model of this library."""
    require(
        isinstance(model, MIMOModel),
        "`model` must be a model of this library.",
        model=type(model).__name__,
    )
