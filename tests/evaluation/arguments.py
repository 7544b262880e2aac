"""Arguments of each public class of `keras_mixvit.evaluation`, none its default."""

ARGUMENTS = {
    "CorruptionReport": lambda: {
        "model": "mine",
        "name": "cifar100",
        "rows": [{"corruption": "fog", "severity": 5, "accuracy": 0.5}],
    },
    "EvaluationReport": lambda: {
        "model": "mine",
        "samples": 4,
        "rows": [{"inference": None, "part": "network", "accuracy": 0.5}],
        "ood": [{"set": "svhn", "score": "entropy", "auroc": 0.75}],
        "conformal": [{"method": "lac", "coverage": 0.875}],
        "classes": {"accuracy": [0.5, 1.0]},
    },
}
