"""Arguments of each public class of `keras_mixvit.metrics`, none its default."""

ARGUMENTS = {
    "Brier": lambda: {"per_class": True, "name": "given", "dtype": "float16"},
    "ConformalSets": lambda: {
        "method": "raps",
        "coverage": 0.75,
        "threshold": 0.5,
        "num_classes": 3,
        "samples": 20,
        "penalty": 0.25,
        "free_rank": 2,
        "randomised": False,
        "seed": 4,
    },
    "Disagreement": lambda: {"name": "given", "dtype": "float16"},
    "ECE": lambda: {"bins": 10, "name": "given", "dtype": "float16"},
    "PairwiseKL": lambda: {"name": "given", "dtype": "float16"},
    "RatioError": lambda: {
        "num_subnetworks": 3,
        "name": "given",
        "dtype": "float16",
    },
    "SubnetworkNLL": lambda: {
        "subnetwork": 1,
        "name": "given",
        "dtype": "float16",
    },
    "TopKAccuracy": lambda: {"k": 3, "name": "given", "dtype": "float16"},
    "NLL": lambda: {"name": "given", "dtype": "float16"},
    "SubnetworkAccuracy": lambda: {
        "subnetwork": 1,
        "name": "given",
        "dtype": "float16",
    },
}
