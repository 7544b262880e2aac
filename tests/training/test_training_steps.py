"""Two steps of one recipe of every kind, on few and small images."""

import numpy as np
import pytest

from keras_mixvit.data import ImageSet
from keras_mixvit.recipes import (
    dataset_for,
    loss_for,
    model_for,
    optimizer_for,
    recipe,
    recipes,
)
from tests.helpers import EAGERLY, numpy

QUICK = ("cifar100-convit-mixvit-embedding",)
# One of each backbone, arrangement and family of masks.
SLOW = (
    "cifar100-wrn28-10-cut-mixmo-cutmix-b4",
    "cifar100-wrn28-10-manifold-mixup",
    "tiny-imagenet-cait-xxs24-mixvit-encoding",
    "cifar100-convit-single-300-epochs",
    "cifar100-convit-mixvit-no-attribution",
    "cifar100-convit-mixvit-encoding-early",
    "cifar100-convit-mixvit-embedding-sum",
    "cifar100-convit-mixvit-embedding-alternating",
    "cifar100-convit-mixvit-embedding-subnetwork-0",
    "cifar100-convit-mixvit-embedding-all-tokens",
    "cifar100-convit-mixvit-embedding-m4",
    "cifar100-convit-mimo",
    "cifar100-convit-cut-mixmo",
    "cifar100-convit-cut-mixmo-parallel",
    "cifar100-convit-cut-mixmo-only-parallel",
    "cifar100-wrn28-10-mixup",
    "cifar100-wrn28-10-linear-mixmo-b2",
    "cifar100-wrn28-10-cut-mixmo-m3-b2",
    "cifar100-wrn28-5-cut-mixmo-r1-two-of-m4-b2",
    "cifar100-wrn28-10-cut-mixmo-patchup-b2",
    "cifar100-wrn28-10-cut-mixmo-fmix-b2",
    "cifar100-wrn28-10-cut-mixmo-1-encoder-by-ratio-b2",
    "cifar100-wrn28-10-cut-mixmo-2-encoders-1-classifier-b2",
    "tiny-imagenet-res18-3-cut-mixmo-b4",
)


def small(name):
    """A recipe with a network of depth 2 and few images in a batch."""
    made = recipe(name)
    changes = {
        "batch_size": 4 * made.repetitions,
        "schedule.base_batch_size": 128,
    }
    if made.is_residual:
        changes["backbone.widening"] = 1
        if made.backbone.name == "wide_resnet":
            changes["backbone.depth"] = 10
    else:
        names = ("num_blocks", "num_class_blocks")
        changes |= {f"backbone.{name}": 1 for name in names}
        changes |= {"backbone.patch_size": 4, "width_scale": 1 / 16}
    return made.with_settings(changes).scaled(1 / made.epochs)


def trained(name):
    """Two steps of a recipe, and weights before them."""
    made = small(name)
    rng = np.random.default_rng(0)
    # A batch has four different images.
    images = rng.integers(256, size=(8, 16, 16, 3), dtype="uint8")
    images = ImageSet(images, np.arange(8) % 3, ("ant", "bee", "cat"))
    model = model_for(made, images)
    dataset = dataset_for(made, model, images)
    assert len(dataset) == 2
    before = [numpy(v.value).copy() for v in model.trainable_variables]
    model.compile(optimizer_for(made, model, len(dataset)), loss_for(made), **EAGERLY)
    history = model.fit(dataset, verbose=0)
    return model, images, before, history.history


def check(name):
    model, images, before, history = trained(name)
    assert np.isfinite(history["loss"]).all()
    assert int(model.optimizer.iterations) == 2
    moved = [
        np.any(numpy(variable.value) != old)
        for variable, old in zip(model.trainable_variables, before, strict=True)
    ]
    # Biases before a softmax have no gradient, and dead units none yet.
    assert np.mean(moved) > 0.7
    assert model.predict(images.images, verbose=0).shape == (8, 3)


@pytest.mark.parametrize("name", QUICK)
def test_two_steps(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_two_steps_of_the_others(name):
    check(name)


def test_every_kind_of_training_is_among_them():
    def kind(made):
        names = ("attribution_position", "input_mixing", "inference")
        method = [str(made.method.options.get(name)) for name in names]
        masks = [str(made.mixing.options.get(n)) for n in ("always_binary", "several")]
        return (made.method.name, made.is_residual, *method, *masks)

    here = {kind(recipe(name)) for name in (*QUICK, *SLOW)}
    # Single networks that differ from these in their data only, and MIMO.
    alike = ("single", "mimo")
    assert {kind(made) for made in recipes() if made.method.name not in alike} <= here
