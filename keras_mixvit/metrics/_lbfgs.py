"""Minimises smooth convex functions of many variables."""

from collections.abc import Callable

import numpy as np

# The number of pairs (step, change of the gradient) to keep.
MEMORY = 10


def minimise(
    function: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    precondition: Callable[[np.ndarray], np.ndarray],
    tolerance: float = 1e-9,
    steps: int = 200,
) -> np.ndarray:
    """The point at which a function is smallest, by L-BFGS.

    Args:
        function: Returns value and gradient `(d,)` at a point `(d,)`.
        start: Array `(d,)`, the first point.
        precondition: Multiplies a vector by approximately the inverse Hessian.
        tolerance: Float; it stops when the expected further decrease is smaller.
            Defaults to `1e-9`.
        steps: Positive integer, the maximum number of steps. Defaults to `200`.

    Returns:
        Array `(d,)`.

    References:
        Nocedal and Wright, Numerical Optimization, 2006, Algorithms 7.4 and 7.5.
    """
    point = start
    value, gradient = function(point)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(steps):
        direction = -_product(gradient, pairs, precondition)
        slope = gradient @ direction
        if not slope < 0:
            pairs, direction = [], -precondition(gradient)
            slope = gradient @ direction
        if -slope / 2 <= tolerance:
            break
        length = 1.0
        while True:
            new_value, new_gradient = function(point + length * direction)
            if new_value <= value + 1e-4 * length * slope:
                break
            length /= 2
            # The last digits of the value are not exact.
            if length < 1e-6:
                return point
        step, change = length * direction, new_gradient - gradient
        if step @ change > 0:
            pairs = [*pairs, (step, change)][-MEMORY:]
        point, value, gradient = point + step, new_value, new_gradient
    return point


def _product(vector, pairs, precondition):
    """The inverse Hessian times a vector, estimated from the pairs so far."""
    vector, weights = vector.copy(), []
    for step, change in reversed(pairs):
        weights.append((step @ vector) / (step @ change))
        vector -= weights[-1] * change
    vector = precondition(vector)
    for (step, change), weight in zip(pairs, reversed(weights), strict=True):
        vector = vector + (weight - (change @ vector) / (step @ change)) * step
    return vector
