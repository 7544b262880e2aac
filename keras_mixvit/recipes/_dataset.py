"""What a recipe trains on: images, masks, augmentation, mixing."""

from keras_mixvit.data import ManifoldMixing, PixelMixing, mixed_pair_dataset
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.masks import (
    BinaryOrLinear,
    ConcatenationMasks,
    CowMasks,
    CutMixMasks,
    FMixMasks,
    LinearMasks,
    MaskSampler,
    PatchCutMix,
    PatchUpMasks,
)
from keras_mixvit.models import MixMo
from keras_mixvit.models._mimo_model import MIMOModel
from keras_mixvit.recipes._augmentations import augmentation_for
from keras_mixvit.recipes._class_weighting import class_weight_for
from keras_mixvit.recipes._data_share import share_of
from keras_mixvit.recipes._recipe import Recipe

BINARY = {
    "cutmix": (CutMixMasks, {}),
    "horizontal-concatenation": (ConcatenationMasks, {"direction": "horizontal"}),
    "vertical-concatenation": (ConcatenationMasks, {"direction": "vertical"}),
    "patchup": (PatchUpMasks, {}),
    "fmix": (FMixMasks, {}),
}


def dataset_for(recipe: Recipe, model: MIMOModel, images: ImageSet) -> MixedPairDataset:
    """The data set that a model learns from.

    Args:
        recipe: `Recipe`.
        model: What `model_for` gave.
        images: `ImageSet` to train on, all of it.

    Returns:
        What `mixed_pair_dataset` makes.

    Example:

    ```python
    recipe, digits = Recipe(width=16, num_blocks=1), load("digits")
    pairs = dataset_for(recipe, model_for(recipe, digits), digits)
    assert pairs[0][1].shape == (64, 2)
    ```
    """
    # What does not fit is refused before a run begins.
    class_weight_for(recipe, images.num_classes)
    used = share_of(images, recipe.data_share)
    manifold_mixing = None
    if recipe.method == "manifold-mixup":
        alpha = {} if recipe.alpha is None else {"alpha": recipe.alpha}
        manifold_mixing = ManifoldMixing(recipe.places, **alpha)
    pixel_mixing = pixel_mixing_for(recipe)
    is_mixed = pixel_mixing is not None or manifold_mixing is not None
    return mixed_pair_dataset(
        used.images,
        used.labels,
        masks_for(recipe, model),
        epochs=recipe.total_epochs,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        repetitions=recipe.repetitions,
        input_repetition=recipe.input_repetition,
        input_order=recipe.member_order,
        num_classes=images.num_classes if is_mixed else None,
        augment=augmentation_for(recipe, images),
        pixel_mixing=pixel_mixing,
        manifold_mixing=manifold_mixing,
        apply_on=recipe.apply_on,
    )


def pixel_mixing_for(recipe: Recipe) -> PixelMixing | None:
    """What mixes the pixels of each input, or `None`.

    Args:
        recipe: `Recipe`.
    """
    kind = recipe.resolved_pixel_mixing
    if kind == "none":
        return None
    options = {
        "probability": recipe.pixel_probability,
        "alpha": recipe.pixel_alpha,
        "mixup_alpha": recipe.pixel_mixup_alpha,
        "partners": recipe.pixel_partners,
        "visible_share": recipe.visible_share,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return PixelMixing(kind.replace("+", "_or_"), **given)


def masks_for(recipe: Recipe, model: MIMOModel) -> MaskSampler:
    """The sampler of the masks that mix the inputs of a sample.

    Args:
        recipe: `Recipe`.
        model: What `model_for` gave.
    """
    if model.num_subnetworks == 1:
        return model.mask_sampler()
    alpha = {} if recipe.alpha is None else {"alpha": recipe.alpha}
    if not isinstance(model, MixMo):
        return model.mask_sampler(**alpha, owner_per=recipe.owner_per)
    if recipe.method != "cut-mixmo":
        return model.mask_sampler(recipe.method.replace("-", "_"), **alpha)
    binary = _binary_masks(recipe, model)
    if recipe.always_binary:
        return binary
    linear = LinearMasks(binary.patch_size, model.num_subnetworks, _alpha(recipe))
    return BinaryOrLinear(binary, linear, recipe.probability)


def _alpha(recipe):
    return 2.0 if recipe.alpha is None else recipe.alpha


def _binary_masks(recipe, model):
    size, members = model.backbone.patch_size, model.num_subnetworks
    is_patched = recipe.masks == "cutmix" and not recipe.is_residual
    if is_patched or recipe.masks == "patch-cutmix":
        return PatchCutMix(size, members, _alpha(recipe), single_source_ramp=False)
    if recipe.masks == "cowmask":
        return CowMasks(size)
    kind, options = BINARY[recipe.masks]
    return kind(size, members, _alpha(recipe), recipe.mixing, **options)
