"""Student's t-test of paired differences, without SciPy."""

import math

# The continued fraction ends when a step no longer changes a float.
SMALLEST, PRECISION, MOST_STEPS = 1e-300, 1e-15, 10_000


def spread_of(values: list[float]) -> dict[str, float | int | None]:
    """The mean, standard deviation (n - 1) and standard error of numbers.

    Args:
        values: List of floats.

    Returns:
        Dict of `count`, `mean`, `sd` and `se`; the last two are `None` for a single
        number, and all except `count` for no numbers.
    """
    count = len(values)
    if count == 0:
        return {"count": 0, "mean": None, "sd": None, "se": None}
    mean = math.fsum(values) / count
    if count == 1:
        return {"count": 1, "mean": mean, "sd": None, "se": None}
    squares = math.fsum((value - mean) ** 2 for value in values)
    sd = math.sqrt(squares / (count - 1))
    return {"count": count, "mean": mean, "sd": sd, "se": sd / math.sqrt(count)}


def paired_test(differences: list[float]) -> dict[str, float | int | None]:
    """The mean of paired differences, and the p of its t-test.

    Args:
        differences: List of floats, one for each pair.

    Returns:
        The result of `spread_of`, and the two-sided `p` of Student's t-test with n - 1
        degrees of freedom, which is `None` without a spread.
    """
    found = spread_of(differences)
    mean, se = found["mean"], found["se"]
    if mean is None or not se:
        return {**found, "p": None}
    return {**found, "p": two_sided_p(mean / se, len(differences) - 1)}


def two_sided_p(t: float, degrees: int) -> float:
    """The probability of a t at least as far from 0.

    Args:
        t: Float, the mean divided by its standard error.
        degrees: Positive integer, the degrees of freedom.

    References:
        Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.1.
    """
    return incomplete_beta(degrees / (degrees + t * t), degrees / 2, 0.5)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b).

    Args:
        x: Float in [0, 1].
        a: Positive float.
        b: Positive float.

    References:
        Abramowitz and Stegun, Handbook of Mathematical Functions, 26.5.8.
    """
    if x <= 0 or x >= 1:
        return min(1.0, max(0.0, x))
    # The fraction converges fast below the mean; symmetry gives the rest.
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
        + a * math.log(x)
        + b * math.log1p(-x)
    )
    return front * _fraction(x, a, b) / a


def _fraction(x, a, b):
    """1 / (1 + d_1 / (1 + d_2 / ...)), by Lentz's method."""
    c, d = 1.0, 0.0
    value = 1.0
    for step in range(MOST_STEPS):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 + term * d
        d = 1 / (d if abs(d) > SMALLEST else SMALLEST)
        c = 1 + term / c
        c = c if abs(c) > SMALLEST else SMALLEST
        value *= c * d
        if step > 0 and abs(c * d - 1) < PRECISION:
            break
    return value - 1
