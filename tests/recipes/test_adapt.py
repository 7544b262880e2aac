"""What `adapt` makes of a recipe for other images, and what it says."""

import numpy as np
import pytest

from keras_mixvit import load
from keras_mixvit.data import ImageSet
from keras_mixvit.recipes import Part, adapt, recipe
from keras_mixvit.recipes._model import default_patch_size

PROTOCOL = (
    "The protocol is 'validation': the validation images choose the best epoch, not "
    "the test images."
)


def image_set(shape, classes=5, count=2000, dtype="uint8"):
    images = np.broadcast_to(np.zeros((1, *shape), dtype), (count, *shape))
    return ImageSet(images, np.arange(count) % classes, tuple("abcdefghij"[:classes]))


def guesses(remarks):
    return [remark for remark in remarks if remark.startswith("Guess: ")]


def test_patches_keep_their_number():
    mine, remarks = adapt(recipe("mixvit-convit"), image_set((96, 96, 1)))
    assert mine.backbone.options == {"patch_size": 12}
    assert mine.augmentation.options["crop_padding"] == 12
    assert mine.epochs == 150
    assert remarks[0].startswith("The network has 1 input channels and 5 classes")
    assert "divide 96 x 96 pixels into 64; 4 x 4 divide 32 x 32 into 64." in remarks[1]
    assert len(guesses(remarks)) == 2
    assert remarks[-1] == PROTOCOL


def test_a_recipe_knows_for_which_images_it_was():
    made = recipe("mixvit-convit").with_settings(
        {"data": "mine.npz", "data.image_size": 96}
    )
    assert adapt(made, image_set((96, 96, 1)))[0].backbone.options["patch_size"] == 12
    # One of a user's own says so by its values alone.
    made = made.replace(name="mine")
    own = made.with_settings({"data.protocol": "validation"})
    assert adapt(made, image_set((96, 96, 1))) == (own, [PROTOCOL])
    assert adapt(own, image_set((96, 96, 1))) == (own, [])


@pytest.mark.parametrize(
    ("name", "shape", "patch_size"),
    [
        ("mixvit-convit", (48, 64, 3), 8),
        ("mixvit-convit", (8, 8, 1), 2),
        ("mixvit-convit", (100, 100, 3), 10),
        ("mixvit-imagenet100", (64, 64, 3), 4),
        ("mixvit-imagenet100", (448, 448, 3), 32),
        ("mixvit-tiny-imagenet", (64, 64, 3), 8),
        ("digits", (28, 28, 1), 7),
    ],
)
def test_patches_divide_the_image(name, shape, patch_size):
    mine, _ = adapt(recipe(name), image_set(shape))
    default = default_patch_size(shape)
    assert mine.backbone.options.get("patch_size", default) == patch_size


def test_images_of_the_paper_need_no_change():
    images = image_set((32, 32, 3), 10)
    made = recipe("cifar10-convit-mixvit-embedding")
    mine, remarks = adapt(made, images)
    assert remarks == [PROTOCOL]
    assert mine == made.with_settings({"data.protocol": "validation"})
    assert adapt(recipe("digits"), load("digits")) == (recipe("digits"), [])


@pytest.mark.parametrize(
    ("side", "backbone", "widening"),
    [(28, "wide_resnet", 10), (96, "preact_resnet", 2), (224, "resnet", 2)],
)
def test_residual_networks_have_a_stem_for_the_size(side, backbone, widening):
    made = recipe("cut-mixmo")
    mine, remarks = adapt(made, image_set((side, side, 1), count=200))
    options = mine.backbone.options
    assert (mine.backbone.name, options["widening"]) == (backbone, widening)
    assert any("replaces 'wide_resnet'" in r for r in remarks) == (side > 48)
    back, _ = adapt(recipe("cut-mixmo-imagenet"), image_set((28, 28, 1)))
    assert (back.backbone.name, back.backbone.options["depth"]) == ("wide_resnet", 28)


def test_crops_are_those_of_the_size():
    mine, _ = adapt(recipe("mixvit-convit"), image_set((160, 160, 3), count=200))
    assert mine.augmentation.name == "imagenet_autoaugment"
    mine, _ = adapt(recipe("mixvit-imagenet100"), image_set((48, 48, 3)))
    assert mine.augmentation.name == "crop_flip_autoaugment"
    assert mine.augmentation.options["crop_padding"] == 6


def test_only_bytes_are_augmented():
    images = image_set((32, 32, 3), dtype="float32")
    mine, remarks = adapt(recipe("mixvit-convit"), images)
    assert mine.augmentation == Part("none")
    assert any("not bytes" in remark for remark in remarks)


def test_batches_fit_few_images():
    mine, remarks = adapt(recipe("mixvit-convit"), image_set((32, 32, 3), count=100))
    assert (mine.batch_size, mine.repetitions) == (30, 3)
    assert mine.learning_rate == pytest.approx(1e-3 * (30 / 129) ** 0.5)
    assert "batches of 30 instead of 129" in remarks[-2]
    mine, _ = adapt(recipe("cut-mixmo"), image_set((32, 32, 3), count=5))
    assert mine.batch_size == 4


@pytest.mark.parametrize(
    ("name", "shape", "text"),
    [
        (
            "mixvit-convit",
            (97, 97, 3),
            r"`images` must have a size that is divisible by a patch size; .* "
            r"Received: image_size=\(97, 97\)",
        ),
        ("cut-mixmo", (97, 98, 3), r"`images` must have even sides for a network wi"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(name, shape, text):
    with pytest.raises(ValueError, match=text):
        adapt(recipe(name), image_set(shape, count=20))
