"""The weights from which named backbones start."""

import numpy as np
import pytest

from keras_mixvit.backbones import ConViT, make_backbone
from keras_mixvit.convert import timm_weights


def assert_normal(values, key):
    """Requires draws of the published normal of deviation 0.02."""
    size = values.size
    assert abs(values.mean()) < 4 * 0.02 / np.sqrt(size), key
    np.testing.assert_allclose(
        values.std(), 0.02, rtol=max(0.03, 5 / np.sqrt(2 * size)), err_msg=key
    )
    if size > 5000:
        # A normal that is cut at two deviations ends at 0.04.
        assert np.abs(values).max() > 0.05, key


def assert_uniform(values, bound, key):
    assert np.abs(values).max() <= bound, key
    if values.size > 5000:
        np.testing.assert_allclose(
            [values.min(), values.max()], [-bound, bound], rtol=0.01, err_msg=key
        )
        assert abs(values.mean()) < 4 * bound / np.sqrt(3 * values.size), key
    tolerance = max(0.03, 5 / np.sqrt(values.size))
    np.testing.assert_allclose(
        values.std(), bound / np.sqrt(3), rtol=tolerance, err_msg=key
    )


def local_heads(num_heads):
    """Positional weights `(k², 3)` of the first k² heads, from ConViT."""
    side = int(num_heads**0.5)
    center = (side - 1) / 2 if side % 2 == 0 else side // 2
    expected = np.zeros((side**2, 3))
    for across in range(side):
        for down in range(side):
            expected[down + side * across] = (
                2 * (across - center),
                2 * (down - center),
                -1,
            )
    return expected


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cait_xxs24", {"num_blocks": 1}),
        ("cait_s36", {"num_blocks": 1, "num_class_blocks": 1}),
        ("convit_tiny", {"num_blocks": 1}),
        ("convit_small", {"num_blocks": 1, "num_class_blocks": 1}),
        ("convit_mixvit", {"num_blocks": 1, "num_class_blocks": 1}),
    ],
)
def test_weights_start_as_published(name, changes):
    backbone = make_backbone(name, (32, 32, 3), 8, **changes)
    weights = timm_weights(backbone)
    assert sum(w.size for w in weights.values()) == backbone.count_params()
    bound = (8 * 8 * 3) ** -0.5
    for key, values in weights.items():
        *_, layer, kind = key.split(".") if "." in key else ("", "", key)
        if layer == "proj" and key.startswith("patch_embed"):
            assert_uniform(values, bound, key)
        elif kind in ("gamma_1", "gamma_2"):
            np.testing.assert_allclose(values, backbone.layer_scale, err_msg=key)
        elif kind == "gating_param":
            np.testing.assert_array_equal(values, 1.0, err_msg=key)
        elif kind == "bias":
            np.testing.assert_array_equal(values, 0.0, err_msg=key)
        elif layer.startswith("norm"):
            np.testing.assert_array_equal(values, 1.0, err_msg=key)
        elif layer == "pos_proj":
            expected = local_heads(backbone.num_heads)
            np.testing.assert_allclose(
                values[: len(expected)], expected, atol=1e-6, err_msg=key
            )
            others = values[len(expected) :]
            assert len(others) == (3 if name == "convit_mixvit" else 0)
            if len(others):
                assert_normal(others, key)
        elif (
            layer == "v" and isinstance(backbone, ConViT) and key.startswith("blocks.")
        ):
            np.testing.assert_array_equal(values, np.eye(backbone.width), err_msg=key)
        else:
            assert kind in ("weight", "pos_embed", "cls_token"), key
            assert_normal(values, key)
