"""What losses, ensembles and saved models promise, for any configuration."""

import functools
import tempfile
from pathlib import Path

import keras
import numpy as np
from hypothesis import strategies as st

from keras_mixvit.backbones import CaiT, ConViT, PreActResNet, ResNet, WideResNet
from keras_mixvit.models import (
    ManifoldMixUp,
    MixMo,
    MixViT,
    SingleNetwork,
    load_model,
)
from keras_mixvit.models._ensembling import ensemble_logits
from tests.helpers import images, numpy, set_weights
from tests.properties import holds

SEEDS = st.integers(0, 2**32 - 1)


@functools.cache
def model_of(kind, members):
    backbone = ConViT((4, 4, 1), 4, 4, 1, 1, 1)
    if kind == "single":
        return SingleNetwork(backbone, 3)
    if kind == "one-head":
        return MixMo(WideResNet((4, 4, 1), 10, 1), 3, members, num_classifiers=1)
    return {"mixvit": MixViT, "mixmo": MixMo}[kind](backbone, 3, members)


@st.composite
def ratios(draw, members):
    rng = np.random.default_rng(draw(SEEDS))
    found = rng.dirichlet([draw(st.sampled_from([0.01, 0.3, 1.0, 20.0]))] * members, 4)
    if draw(st.booleans()):
        found[0] = np.eye(members)[0]
    return found.astype("float32")


@holds(
    few=12,
    many=400,
    kind=st.sampled_from(["mixvit", "mixmo", "one-head"]),
    drawn=st.integers(2, 3).flatmap(lambda m: ratios(m)),
    r=st.one_of(st.floats(0.01, 100), st.just(float("inf"))),
)
def test_loss_weights_are_the_formulas_of_the_papers(kind, drawn, r):
    members = drawn.shape[1]
    model = model_of(kind, members)
    exact, total = drawn.astype("float64"), members
    if kind == "mixmo":
        model.r = r
        exact = (exact / exact.max(axis=1, keepdims=True)) ** (1 / r)
        total = members**2
    expected = total * exact / exact.sum(axis=1, keepdims=True)
    weights = numpy(model.loss_weights(keras.ops.convert_to_tensor(drawn)))
    np.testing.assert_allclose(weights, expected, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(weights.sum(axis=1), total, rtol=1e-5)
    for ratio, weight in zip(drawn, weights, strict=True):
        assert (np.diff(weight[np.argsort(ratio)]) >= -1e-6).all()


def test_the_loss_weight_of_a_single_network_is_one():
    weights = model_of("single", 1).loss_weights(np.ones((4, 1), "float32"))
    np.testing.assert_array_equal(numpy(weights), np.ones((4, 1)))


# Few shapes: JAX compiles each operation for each of them.
@holds(
    few=12,
    many=500,
    shape=st.sampled_from([(1, 1, 1), (2, 1, 4), (3, 2, 5), (2, 5, 3)]),
    scale=st.sampled_from([0.0, 1.0, 50.0, 1e4, 1e30, 1e37]),
    seed=SEEDS,
    ensemble_of=st.sampled_from(["logits", "probabilities"]),
    half=st.sampled_from(["float16", "bfloat16", None]),
)
def test_ensembles_average_logits_or_probabilities(
    shape, scale, seed, ensemble_of, half
):
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(size=shape)).astype("float32")
    if half and scale <= 50:
        logits = numpy(keras.ops.cast(logits, half))
    found = ensemble_logits(logits, ensemble_of)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    found, exact = numpy(found).astype("float64"), logits.astype("float64")
    assert np.isfinite(found).all()
    if ensemble_of == "logits":
        tolerance = 1e-6 * max(1, scale)
        np.testing.assert_allclose(found, exact.mean(axis=1), atol=tolerance)
        return
    expected = softmax(exact).mean(axis=1)
    np.testing.assert_allclose(softmax(found), expected, atol=2e-6)
    order = rng.permutation(shape[1])
    again = numpy(ensemble_logits(logits[:, order], ensemble_of))
    np.testing.assert_allclose(softmax(again.astype("float64")), expected, atol=2e-6)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


BACKBONES = ("convit", "cait", "wideresnet", "preactresnet", "resnet")


@st.composite
def backbones(draw, kind):
    """Class and arguments of a small backbone, many of them not the defaults."""
    channels = draw(st.sampled_from([1, 3]))
    scales = {"mean": draw(st.sampled_from([0.0, 0.5]))}
    if draw(st.booleans()):
        scales["mean"] = tuple(np.round(np.linspace(0.1, 0.5, channels), 3).tolist())
        scales["std"] = draw(st.sampled_from([1.0, 0.25]))
    if kind in ("convit", "cait"):
        patch = draw(st.sampled_from([2, 4]))
        sides = [patch * draw(st.integers(1, 2)) for _ in range(2)]
        heads = draw(st.integers(1, 2))
        options = {
            "patch_size": patch,
            "width": 4 * heads * draw(st.integers(1, 2)),
            "num_heads": heads,
            "num_blocks": draw(st.integers(1, 2)),
            "num_class_blocks": draw(st.integers(1, 2)),
            "dropout_rate": draw(st.sampled_from([0.0, 0.1])),
            "stochastic_depth_rate": draw(st.sampled_from([0.0, 0.2])),
            "qkv_bias": draw(st.booleans()),
        }
        if kind == "convit":
            options["trunk_attention"] = draw(
                st.sampled_from(["class_attention", "self_attention"])
            )
        else:
            options["layer_scale"] = draw(st.sampled_from([0.1, 1e-3]))
        cls = {"convit": ConViT, "cait": CaiT}[kind]
        return cls, (*sides, channels), {**options, **scales}
    shape = (draw(st.sampled_from([8, 12])), 8, channels)
    options = {"widening": 1, "l2": draw(st.sampled_from([0.0, 1e-4]))}
    if kind == "wideresnet":
        options |= {
            "depth": 10,
            "strided_conv": draw(st.sampled_from(["first", "second"])),
        }
        return WideResNet, shape, {**options, **scales}
    if kind == "resnet":
        shape = (32, 32, channels)
    cls = {"preactresnet": PreActResNet, "resnet": ResNet}[kind]
    return cls, shape, {**options, **scales}


@st.composite
def models(draw, kind):
    """Class and arguments of a model of any method that the backbone has."""
    backbone = draw(backbones(kind))
    is_residual = kind not in ("convit", "cait")
    methods = ["single", "mixmo", "manifold" if is_residual else "mixvit"]
    method, classes = draw(st.sampled_from(methods)), draw(st.integers(1, 4))
    options = {"temperature": draw(st.sampled_from([1.0, 0.5]))}
    if method == "single":
        return SingleNetwork, backbone, classes, options
    if method == "manifold":
        options["num_layers"] = draw(st.integers(2, 3))
        return ManifoldMixUp, backbone, classes, options
    members = draw(st.integers(2, 3))
    options["num_subnetworks"] = members
    options["ensemble_of"] = draw(st.sampled_from(["logits", "probabilities"]))
    if method == "mixmo":
        options |= {
            "r": draw(st.floats(0.5, 10)),
            "inference": draw(st.sampled_from(["sum", "parallel"])),
        }
        return MixMo, backbone, classes, options
    options |= {
        "source_attribution": draw(st.sampled_from(["embedding", "encoding", None])),
        "attribution_position": draw(st.sampled_from(["late", "early"])),
        "input_mixing": draw(st.sampled_from(["binarized_cutmix", "averaged_masks"])),
        "alternation": draw(st.sampled_from(["random", "checkerboard"])),
        "seed": draw(st.integers(0, 2**31)),
    }
    schemes = ["parallel", 0, members - 1]
    if options["source_attribution"] is not None:
        schemes += ["sum", "alternating"]
    options["inference"] = draw(st.sampled_from(schemes))
    return MixViT, backbone, classes, options


def check_round_trip(drawn, seed):
    cls, (backbone, shape, arguments), classes, options = drawn
    model = cls(backbone(shape, **arguments), classes, **options)
    set_weights(model, seed)
    x = images(2, model.image_shape)
    expected = numpy(model(x))
    assert np.isfinite(expected).all()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        loaded = load_model(path)
        again = path.with_name("again.keras")
        loaded.save(again)
        once_more = load_model(again)
    for found in (loaded, once_more):
        assert type(found) is type(model)
        assert found.get_config() == model.get_config()
        assert found.temperature == model.temperature
        paths = [[v.path for v in m.trainable_variables] for m in (found, model)]
        assert paths[0] == paths[1]
        np.testing.assert_array_equal(numpy(found(x)), expected)


# Each example builds three models: few of each, many overnight.
@holds(
    few=1,
    many=40,
    drawn=st.sampled_from(["convit", "cait"]).flatmap(models),
    seed=st.integers(0, 100),
)
def test_transformers_come_back_from_their_files(drawn, seed):
    check_round_trip(drawn, seed)


@holds(
    few=1,
    many=25,
    drawn=st.sampled_from(BACKBONES[2:]).flatmap(models),
    seed=st.integers(0, 100),
)
def test_residual_networks_come_back_from_their_files(drawn, seed):
    check_round_trip(drawn, seed)
