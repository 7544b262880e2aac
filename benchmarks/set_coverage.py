"""How often prediction sets hold the true class, and how large they are.

    KERAS_BACKEND=torch python benchmarks/set_coverage.py NAME=RUN [NAME=RUN ...]
        [--part test] [--splits 20] [--output docs/results/set-coverage.json]
        [--about "Where the runs come from."]

RUN is the folder of a run with its images, or one of the folders in it. The script
predicts the held-out images once, as `predict` does, with plain logits. Then it splits
them in halves, seed by seed: the sets of `ConformalSets` are fitted on one half, and
judged on the other. It writes coverage and size of every method at both rates, and a
page beside them with the same numbers.

**What is expected.** Fitted on n samples, sets hold the true class of k / (n + 1) of m
others on average, with the least k for which that is at least 1 - alpha; the count of
hits is beta-binomial. So the standard deviation of the coverage of one split is
sqrt(k (n + 1 - k) (n + m + 1) / ((n + 1)^2 (n + 2) m)), and the mean of several splits
strays by that over the square root of their number.
"""

import argparse
import json
import math
import platform
from importlib import metadata
from pathlib import Path

import keras
import numpy as np

import keras_mixvit
from keras_mixvit import load_model
from keras_mixvit.data.sets._load import data_label
from keras_mixvit.metrics import ConformalSets, set_scores
from keras_mixvit.prediction._network import Network
from keras_mixvit.training._found_runs import model_file
from keras_mixvit.training._run_images import RunImages

METHODS = ("lac", "aps", "raps")
RATES = (0.1, 0.05)
# Of the mean coverage, in points.
PROMISE = 1.5

INTRODUCTION = """# Coverage of prediction sets

Do sets hold the true class as often as they promise? The held-out images of a run are
split in halves {splits} times: `ConformalSets` is fitted on one half, and judged on the
other. All figures are in [set-coverage.json](set-coverage.json);
`benchmarks/set_coverage.py` measured them. {about}

**The promise:** the mean coverage is within {promise} points of 1 - rate. {verdict}
"""
NETWORK = """
## {name}

{images:,} {part} images of {data}, {classes} classes, accuracy {accuracy:.2%}. So few
images leave a spread: at a rate of {rate:.0%}, the coverage of one split strays by
{one:.1f} points, and the mean of {splits} splits by {mean:.1f}.

| method | rate % | promised % | coverage % | spread of a split | expected spread | \
classes in a set | empty sets % |
|---|---:|---:|---:|---:|---:|---:|---:|
"""
ROW = (
    "| {method} | {rate:.0f} | {promised:.0f} | {coverage:.2f} | {coverage_sd:.2f} | "
    "{expected_sd:.2f} | {mean_size:.2f} ± {size_sd:.2f} | {empty:.1f} |\n"
)
NOTES = """
- **Coverage** is the mean over the splits. The spread is the standard deviation between
  splits, in points, beside what the sizes of the halves let you expect.
- **Empty sets** are right for an accurate network: where it is right in 97 % of cases,
  a set of one class for each image holds the true class more often than 90 %.
- APS and RAPS draw a random number for each image. Their sets are larger than those of
  LAC where the network is doubtful.
- The splits share their images. They show that sets keep their promise for images like
  these, and nothing about images of another kind.

Measured with {versions}.
"""


def predicted(run: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Plain logits `(n, K)` of the held-out images of a run, and their labels."""
    file = model_file(run)
    images = RunImages(file).load(part)
    network = Network([load_model(file)])
    batches = images.batches(64)
    try:
        logits = [network.logits(batches[i][0]) for i in range(len(batches))]
    finally:
        batches.close()
    return network.plain(np.concatenate(logits)), np.asarray(images.labels)


def measured(logits: np.ndarray, labels: np.ndarray, splits: int) -> list[dict]:
    """A row for each method and rate."""
    rows, half = [], len(labels) // 2
    for method in METHODS:
        for rate in RATES:
            found = []
            for seed in range(splits):
                order = np.random.default_rng(seed).permutation(len(labels))
                fit, judge = order[:half], order[half:]
                sets = ConformalSets.fit(
                    logits[fit], labels[fit], method, 1 - rate, seed=seed
                )
                scores = set_scores(sets.predict(logits[judge]), labels[judge])
                found.append([scores[k] for k in ("coverage", "mean_size", "empty")])
            coverage, size, empty = np.array(found, "float64").T
            mean, deviation = expected(half, len(labels) - half, rate)
            rows.append(
                {
                    "method": method,
                    "rate": rate,
                    "coverage": coverage.mean(),
                    "coverage_sd": coverage.std(ddof=1),
                    "expected_coverage": mean,
                    "expected_sd": deviation,
                    "mean_size": size.mean(),
                    "size_sd": size.std(ddof=1),
                    "empty": empty.mean(),
                    "coverages": coverage.tolist(),
                }
            )
    return rows


def expected(n: int, m: int, rate: float) -> tuple[float, float]:
    """Mean and standard deviation of the coverage of one split."""
    # A rounding must not ask for one sample more.
    k = min(math.ceil((n + 1) * (1 - rate) - 1e-9), n + 1)
    mean = k / (n + 1)
    variance = k * (n + 1 - k) * (n + m + 1) / ((n + 1) ** 2 * (n + 2) * m)
    return mean, math.sqrt(variance)


def page(content: dict) -> str:
    """The numbers as Markdown."""
    splits = content["splits"]
    verdict = "It holds in every row." if content["holds"] else "It fails in some rows."
    parts = [
        INTRODUCTION.format(
            splits=splits, promise=PROMISE, verdict=verdict, about=content["about"]
        )
    ]
    for network in content["networks"]:
        row = network["rows"][0]
        parts.append(
            NETWORK.format(
                **network,
                part=content["part"],
                splits=splits,
                rate=row["rate"],
                one=100 * row["expected_sd"],
                mean=100 * row["expected_sd"] / math.sqrt(splits),
            )
        )
        parts += [ROW.format(**in_percent(row)) for row in network["rows"]]
    return "".join([*parts, NOTES.format(**content)])


def in_percent(row: dict) -> dict:
    """A row with its shares in percent."""
    kept = ("method", "mean_size", "size_sd", "coverages")
    found = {k: v if k in kept else 100 * v for k, v in row.items()}
    promised = 100 * (1 - row["rate"])
    return {**found, "method": row["method"].upper(), "promised": promised}


def main() -> None:
    """Measures, and writes both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    parser.add_argument("--part", default="test", choices=["val", "test"])
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--about", default="")
    parser.add_argument("--output", default="docs/results/set-coverage.json")
    options = parser.parse_args()
    networks = []
    for word in options.runs:
        name, run = word.split("=", 1)
        logits, labels = predicted(run, options.part)
        networks.append(
            {
                "name": name,
                "data": data_label(RunImages(model_file(run)).name),
                "images": len(labels),
                "classes": logits.shape[1],
                "accuracy": float((logits.argmax(axis=1) == labels).mean()),
                "rows": measured(logits, labels, options.splits),
            }
        )
    rows = [row for network in networks for row in network["rows"]]
    off = max(abs(row["coverage"] - (1 - row["rate"])) for row in rows)
    packages = [f"keras {keras.__version__}", f"NumPy {np.__version__}"]
    backend = keras.config.backend()
    content = {
        "command": "python benchmarks/set_coverage.py",
        "versions": f"keras_mixvit {keras_mixvit.__version__}, {', '.join(packages)}, "
        f"{backend} {metadata.version(backend)}, Python {platform.python_version()}",
        "about": options.about,
        "part": options.part,
        "splits": options.splits,
        "promise_points": PROMISE,
        "largest_distance_points": 100 * off,
        "holds": bool(100 * off <= PROMISE),
        "networks": networks,
    }
    output = Path(options.output)
    output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    output.with_suffix(".md").write_text(page(content), encoding="utf-8")
    print(page(content))


if __name__ == "__main__":
    main()
