import os
from collections.abc import Sequence

from keras_mixvit.data import CORRUPTIONS, load_corrupted
from keras_mixvit.evaluation._corruption_report import CorruptionReport
from keras_mixvit.evaluation._evaluate import require_model
from keras_mixvit.evaluation._predicted import graph_of, images_and_labels, predicted
from keras_mixvit.metrics._accuracy import accuracy_of
from keras_mixvit.metrics._calibration_error import calibration_error_of
from keras_mixvit.metrics._predictions import sample_scores
from keras_mixvit.models import MIMOModel


def evaluate_corrupted(
    model: MIMOModel,
    name: str,
    data_dir: str | os.PathLike,
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] = (1, 2, 3, 4, 5),
    batch_size: int = 128,
    verbose: str | int = 0,
) -> CorruptionReport:
    """Accuracy, NLL and ECE of a model on CIFAR-10-C or CIFAR-100-C.

    The ensemble is judged in the model's own inference scheme, uncalibrated, as
    in the paper. Means are plain means over sets, not relative to another
    network.

    Args:
        model: Model of this library.
        name: `"cifar10"` or `"cifar100"`.
        data_dir: Path of the folder of the files, as for `load_corrupted`.
        corruptions: Sequence of names, or `None` for the 15 of the benchmark.
            Defaults to `None`.
        severities: Sequence of integers 1 to 5. Defaults to `(1, 2, 3, 4, 5)`.
        batch_size: Positive integer, images per step. Defaults to `128`.
        verbose: As in `keras.Model.predict`. Defaults to `0`.

    Returns:
        A `CorruptionReport`.

    Raises:
        ValueError: If data are missing or do not fit the model.

    Example:

    ```python
    Path("CIFAR-10-C").mkdir()
    np.save("CIFAR-10-C/fog.npy", np.zeros((10, 32, 32, 3), "uint8"))
    np.save("CIFAR-10-C/labels.npy", np.arange(10))
    model = SingleNetwork(WideResNet((32, 32, 3), depth=10, widening=1), 10)
    report = evaluate_corrupted(model, "cifar10", ".", ["fog"], [1, 5])
    assert len(report.rows) == 2
    ```

    References:
        MixMo, Sections 4.4 and 6.4; D. Hendrycks, T. Dietterich,
        *Benchmarking Neural Network Robustness to Common Corruptions and
        Perturbations*, ICLR 2019.
    """
    require_model(model)
    graph, groups = graph_of(model, list(model.inference_schemes)[:1] or [None])
    rows = []
    for corruption in CORRUPTIONS if corruptions is None else corruptions:
        for severity in severities:
            data = load_corrupted(name, corruption, severity, data_dir)
            images, labels = images_and_labels(model, data, batch_size)
            group = next(predicted(graph, groups, images, batch_size, verbose))
            scores = sample_scores(group.averaged, labels)
            rows.append(
                {
                    "corruption": corruption,
                    "severity": severity,
                    "accuracy": accuracy_of(scores),
                    "nll": float(scores.nll.mean()),
                    "ece": calibration_error_of(scores),
                }
            )
    return CorruptionReport(model.name, name, rows)
