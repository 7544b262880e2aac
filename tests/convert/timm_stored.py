"""Reads stored outputs of timm, and compares gradients with them."""

import functools
import json
from pathlib import Path

import numpy as np
from keras import ops

from keras_mixvit.convert._timm_layout import (
    backbone_entries,
    head_entries,
    timm_arrays,
)
from tests.convert.timm_cases import PATCH_SIZE, direction, images, stored_part
from tests.helpers import gradients


class Stored:
    """The stored outputs of several cases.

    Args:
        file: String, the name of the file, beside this one.
    """

    def __init__(self, file):
        self.path = Path(__file__).parent / file
        self.of = functools.cache(self._of)

    def _of(self, name):
        """What is stored of a case, by its name without that of the case."""
        with np.load(self.path) as found:
            keys = [key for key in found.files if key.startswith(f"{name}/")]
            return {key.removeprefix(f"{name}/"): found[key] for key in keys}

    def under(self, name, kind):
        """The part of it whose names begin with a kind, without the kind."""
        prefix = f"{kind}/"
        found = {k: a for k, a in self.of(name).items() if k.startswith(prefix)}
        return {key.removeprefix(prefix): array for key, array in found.items()}

    def shapes(self, name):
        """timm's names and shapes of the parameters."""
        table = json.loads(str(self.of(name)["shapes"]))
        return {key: tuple(shape) for key, shape in table.items()}


def of_two_heads(found):
    """Gradients of two heads, from that of one head on two tokens.

    Ours is half of the sum of timm's kernels and biases, so each has half its gradient.
    """
    first, second = np.split(found["head.weight"] / 2, 2, axis=1)
    bias = found["head.bias"] / 2
    return {
        **found,
        **{"head.weight": first, "head_dist.weight": second},
        **{"head.bias": bias, "head_dist.bias": bias},
    }


def check_gradients(model, case, expected, shapes):
    """Compares the gradient of every parameter of a model with timm's.

    Args:
        model: `SingleNetwork` with the weights of the case.
        case: The case.
        expected: Dict from timm's names to the stored parts of gradients.
        shapes: Dict from timm's names to shapes.
    """

    def projected(pixels):
        return ops.sum(ops.multiply(model(pixels), direction()))

    of_weights, _ = gradients(projected, model, [images(case)])
    variables = [id(variable) for variable in model.trainable_variables]
    by_variable = dict(zip(variables, of_weights, strict=True))
    entries = backbone_entries(model.backbone) + head_entries(model.heads)
    values = [by_variable.pop(id(entry.variable)) for entry in entries]
    assert not by_variable
    found = timm_arrays(entries, values, 0, PATCH_SIZE)
    if "head_dist.weight" in shapes:
        found = of_two_heads(found)
    assert set(found) == set(expected) == set(shapes)
    largest = max(np.max(np.abs(array)) for array in expected.values())
    for key, array in expected.items():
        np.testing.assert_allclose(
            stored_part(found[key]), array, rtol=0, atol=1e-5 * largest, err_msg=key
        )
