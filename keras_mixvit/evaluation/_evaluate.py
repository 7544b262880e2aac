import numpy as np

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.data import ImageSet
from keras_mixvit.evaluation._evaluation_report import EvaluationReport
from keras_mixvit.evaluation._predicted import graph_of, images_and_labels, predicted
from keras_mixvit.metrics._accuracy import accuracy_of
from keras_mixvit.metrics._auroc import auroc_of
from keras_mixvit.metrics._calibrated_nll import calibrated
from keras_mixvit.metrics._calibration_error import calibration_error_of
from keras_mixvit.metrics._disagreement import disagreement_of
from keras_mixvit.metrics._pairwise_kl import pairwise_kl
from keras_mixvit.metrics._predictions import sample_scores
from keras_mixvit.metrics._ratio_error import predicted_classes, ratio_error_of
from keras_mixvit.models import MIMOModel


def evaluate(
    model: MIMOModel,
    data: ImageSet | tuple,
    all_schemes: bool = True,
    batch_size: int = 128,
    bins: int = 15,
    seed: int = 0,
    verbose: str | int = "auto",
) -> EvaluationReport:
    """Judges a model's ensemble and each of its subnetworks, in one pass.

    The scores of each are accuracy, top-5 accuracy, NLL, calibrated NLL with the
    temperature (the mean of the temperatures of the two halves), calibration
    error in equally long and in equally full bins, Brier score and AUROC. An
    ensemble also has the ratio error, disagreement and divergence of its
    subnetworks. An `Ensemble` of models is compared with its members, and these
    with their subnetworks. The model's own `temperature` is not applied.
    Predictions are kept in float32; while Keras joins the batches, they are in
    memory twice.

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
        seed: Non-negative integer, the seed of the halves of calibrated NLL.
            Defaults to `0`.
        verbose: What `keras.Model.predict` takes. Defaults to `"auto"`.

    Returns:
        An `EvaluationReport`.

    Raises:
        ValueError: If the data do not fit the model, or a prediction is NaN.

    Example:

    ```python
    model = MixViT(ConViT((8, 8, 1), 2, 8, 2, 1, 1), num_classes=10)
    report = evaluate(model, load("digits", "val"), all_schemes=False, verbose=0)
    parts = [row["part"] for row in report.rows]
    assert parts == ["ensemble", "subnetwork 0", "subnetwork 1"]
    ```

    References:
        MixMo, Sections 4.1, 4.3.2 and 6.5; MixViT, Table 7.
    """
    return judged(model, data, all_schemes, batch_size, bins, seed, verbose)[0]


def judged(
    model, data, all_schemes=True, batch_size=128, bins=15, seed=0, verbose="auto"
) -> tuple[EvaluationReport, np.ndarray]:
    """The result of `evaluate`, and the logits `(n, K)` of the model."""
    require_model(model)
    images, labels = images_and_labels(model, data, batch_size)
    schemes = list(model.inference_schemes) or [None]
    graph, groups = graph_of(model, schemes if all_schemes else schemes[:1])
    rows = []
    for group in predicted(graph, groups, images, batch_size, verbose):
        names = {"inference": group.inference}
        if not rows:
            logits = group.averaged
        scores = scores_of(group.averaged, labels, bins, seed)
        diversity = dict.fromkeys(("ratio_error", "disagreement", "pairwise_kl"))
        rows.append({**names, "part": group.part, **scores, **diversity})
        if len(group.parts) == 1:
            continue
        classes = predicted_classes(group.logits)
        rows[-1] |= {
            "ratio_error": ratio_error_of(classes != labels[:, None]),
            "disagreement": disagreement_of(classes),
            "pairwise_kl": pairwise_kl(group.logits),
        }
        for m, part in enumerate(group.parts):
            if part is not None:
                scores = scores_of(group.logits[:, m], labels, bins, seed)
                rows.append({**names, "part": part, **scores, **diversity})
    return EvaluationReport(model.name, len(labels), rows), logits


def require_model(model):
    """Requires a model of this library."""
    require(
        isinstance(model, MIMOModel),
        "`model` must be a model of this library.",
        model=type(model).__name__,
    )


def scores_of(logits, labels, bins: int = 15, seed: int = 0) -> dict[str, float]:
    """Every score of logits `(n, K)`, all but one in a single pass."""
    require_positive_integer("bins", bins)
    scores = sample_scores(logits, labels)
    calibrated_nll, temperatures = float("nan"), [float("nan")] * 2
    if len(labels) > 1:
        calibrated_nll, temperatures = calibrated(logits, labels, seed)
    return {
        "accuracy": accuracy_of(scores),
        "top5": accuracy_of(scores, k=5),
        "nll": float(scores.nll.mean()),
        "calibrated_nll": calibrated_nll,
        "temperature": sum(temperatures) / 2,
        "ece": calibration_error_of(scores, bins),
        "adaptive_ece": calibration_error_of(scores, bins, adaptive=True),
        "brier": float(scores.brier.mean()),
        "auroc": auroc_of(scores),
    }
