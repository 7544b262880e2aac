"""Builds the data set of a recipe: images, masks, augmentation, mixing."""

from keras_mixvit.augmentation import Augment, RandomErasing
from keras_mixvit.data import MixedPairDataset, PixelMixing
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.models import MIMOModel
from keras_mixvit.recipes._augmentations import AUGMENTATIONS
from keras_mixvit.recipes._constructors import PAIRS
from keras_mixvit.recipes._data_share import share_of
from keras_mixvit.recipes._mixing import manifold_mixing_for, masks_for
from keras_mixvit.recipes._option_names import named_as, of_part
from keras_mixvit.recipes._recipe import Recipe


def dataset_for(recipe: Recipe, model: MIMOModel, images: ImageSet) -> MixedPairDataset:
    """The data set of mixed pairs on which a recipe trains its model.

    Args:
        recipe: `Recipe`.
        model: Model that `model_for` returned.
        images: `ImageSet` of all training images.

    Returns:
        A `MixedPairDataset`.

    Example:

    ```python
    recipe = Recipe(backbone={"name": "convit", "width": 16, "num_blocks": 1})
    digits = load("digits")
    pairs = dataset_for(recipe, model_for(recipe, digits), digits)
    assert pairs[0][1].shape == (64, 2)
    ```
    """
    # Raises errors before a run begins.
    recipe.loss.class_weights(images.num_classes)
    used = share_of(images, recipe.data.share)
    manifold_mixing = manifold_mixing_for(recipe.method, recipe.mixing)
    pixel_mixing = pixel_mixing_for(recipe)
    is_mixed = pixel_mixing is not None or manifold_mixing is not None
    masks = masks_for(recipe.method.name, recipe.mixing, model)
    with named_as(of_part("pairs", PAIRS.parameters())):
        return MixedPairDataset(
            used.images,
            used.labels,
            masks,
            epochs=recipe.total_epochs,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            num_classes=images.num_classes if is_mixed else None,
            augment=augmentation_for(recipe, images),
            pixel_mixing=pixel_mixing,
            manifold_mixing=manifold_mixing,
            **recipe.pairs.options,
        )


def pixel_mixing_for(recipe: Recipe) -> PixelMixing | None:
    """The `PixelMixing` of a recipe, or `None`.

    Args:
        recipe: `Recipe`.
    """
    name = recipe.pixel_mixing.name
    if name == "none":
        return None
    return PixelMixing(name, **recipe.pixel_mixing.options)


def augmentation_for(recipe: Recipe, images: ImageSet) -> Augment | None:
    """The augmentation of a recipe, for a set of images.

    Args:
        recipe: `Recipe`.
        images: `ImageSet`, whose statistics set the noise of random erasing.

    Returns:
        An `Augment`, or `None` without augmentation.

    Example:

    ```python
    recipe = Recipe(augmentation={"name": "crop_flip", "crop_padding": 1})
    augment = augmentation_for(recipe, load("digits"))
    assert len(augment.augmentations) == 2
    ```
    """
    options = recipe.augmentation.options
    share = options.pop("random_erasing", 0.0)
    side = min(images.images.shape[1:3])
    steps = AUGMENTATIONS[recipe.augmentation.name](side, **options)
    if share:
        mean, std = images.statistics()
        steps.append(RandomErasing(share, tuple(mean), tuple(std)))
    return Augment(steps) if steps else None
