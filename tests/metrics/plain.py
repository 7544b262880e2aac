"""The same scores once more, in plain loops, and predictions to judge."""

import itertools
import math

import numpy as np

# For which other libraries computed what `metric_outputs.json` holds.
CASES = {
    "random": {"n": 300, "classes": 7, "members": 3},
    "sure": {"seed": 1, "n": 300, "classes": 4, "members": 2, "scale": 12.0},
    "unsure": {"seed": 2, "n": 301, "classes": 10, "members": 2, "scale": 0.2},
}


def drawn(seed=0, n=60, classes=5, members=None, scale=3.0):
    """Logits that are right more often than not, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    shape = (n, classes) if members is None else (n, members, classes)
    hints = np.eye(classes)[labels]
    hints = hints if members is None else hints[:, None]
    return scale * (hints + 0.7 * rng.normal(size=shape)), labels


def probabilities(row):
    """Softmax of one prediction, by the naive formula with the highest taken off."""
    top = max(row)
    powers = [math.exp(x - top) for x in row]
    return [power / sum(powers) for power in powers]


def order(row):
    """Classes from the likeliest, of equals the first before the others."""
    return sorted(range(len(row)), key=lambda k: (-row[k], k))


def accuracy(logits, labels, k=1):
    hits = [y in order(row)[:k] for row, y in zip(logits, labels, strict=True)]
    return sum(hits) / len(hits)


def nll(logits, labels):
    values = []
    for row, y in zip(logits, labels, strict=True):
        top = max(row)
        values.append(math.log(sum(math.exp(x - top) for x in row)) + (top - row[y]))
    return sum(values) / len(values)


def brier(logits, labels):
    total = 0.0
    for row, y in zip(logits, labels, strict=True):
        for k, p in enumerate(probabilities(row)):
            total += (p - (k == y)) ** 2
    return total / len(labels)


def confidences(logits, labels):
    """Pairs (confidence, whether right)."""
    return [
        (max(probabilities(row)), order(row)[0] == y)
        for row, y in zip(logits, labels, strict=True)
    ]


def gap(pairs):
    """How far mean confidence is from accuracy, times the samples."""
    return abs(sum(p for p, _ in pairs) - sum(right for _, right in pairs))


def calibration_error(logits, labels, bins=15):
    pairs = confidences(logits, labels)
    total = 0.0
    for b in range(bins):
        total += gap([q for q in pairs if b / bins < q[0] <= (b + 1) / bins])
    return total / len(pairs)


def adaptive_calibration_error(logits, labels, bins=15):
    """For confidences that all differ and bins that divide the samples."""
    pairs = sorted(confidences(logits, labels))
    size = len(pairs) // bins
    return sum(gap(pairs[i * size : (i + 1) * size]) for i in range(bins)) / len(pairs)


def auroc(logits, labels):
    pairs = confidences(logits, labels)
    wins = [
        (p > q) + 0.5 * (p == q)
        for (p, right), (q, other) in itertools.product(pairs, pairs)
        if right and not other
    ]
    return sum(wins) / len(wins)


def ratio_error(logits, labels):
    ratios = []
    for i, j in itertools.combinations(range(logits.shape[1]), 2):
        single = common = 0
        for rows, y in zip(logits, labels, strict=True):
            wrong = int(order(rows[i])[0] != y) + int(order(rows[j])[0] != y)
            single += wrong == 1
            common += wrong == 2
        ratios.append(single / common)
    return sum(ratios) / len(ratios)


def disagreement(logits):
    found = [
        order(rows[i])[0] != order(rows[j])[0]
        for rows in logits
        for i, j in itertools.combinations(range(logits.shape[1]), 2)
    ]
    return sum(found) / len(found)


def pairwise_kl(logits):
    total, count = 0.0, 0
    for rows in logits:
        shares = [probabilities(row) for row in rows]
        for p, q in itertools.permutations(shares, 2):
            total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a)
            count += 1
    return total / count
