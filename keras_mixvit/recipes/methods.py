"""What the options of a training make: backbone, model, data set."""

import keras

from keras_mixvit.backbones import CaiT, ConViT, PreActResNet, ResNet, WideResNet
from keras_mixvit.backbones.backbone import Backbone
from keras_mixvit.data import ManifoldMixing, PixelMixing, mixed_pair_dataset
from keras_mixvit.data.image_set import ImageSet
from keras_mixvit.data.mixed_pair_dataset import MixedPairDataset
from keras_mixvit.models import ManifoldMixUp, MixMo, MixViT, SingleNetwork
from keras_mixvit.models.mimo_model import MIMOModel
from keras_mixvit.recipes.training_options import TrainingOptions

TRANSFORMERS = {"convit": ConViT, "cait": CaiT}
RESIDUAL = {"wideresnet": WideResNet, "preactresnet": PreActResNet, "resnet": ResNet}


def backbone_for(options: TrainingOptions, images: ImageSet) -> Backbone:
    """The backbone that options name, for a set of images."""
    image_shape = images.images.shape[1:]
    mean, std = images.statistics()
    if options.backbone in RESIDUAL:
        depth = {"depth": options.depth} if options.backbone == "wideresnet" else {}
        return RESIDUAL[options.backbone](
            image_shape,
            widening=options.widening,
            l2=options.resolved_weight_decay,
            mean=mean,
            std=std,
            **depth,
        )
    patch_size = options.patch_size
    if patch_size is None:
        patch_size = min(16, max(2, min(image_shape[:2]) // 8))
    return TRANSFORMERS[options.backbone](
        image_shape,
        patch_size,
        options.width,
        options.num_heads,
        options.num_blocks,
        options.num_class_blocks,
        stochastic_depth_rate=options.stochastic_depth_rate,
        mean=mean,
        std=std,
        seed=options.seed,
    )


def single_network(options: TrainingOptions, images: ImageSet) -> SingleNetwork:
    """The single network for comparison."""
    keras.utils.set_random_seed(options.seed)
    return SingleNetwork(backbone_for(options, images), images.num_classes)


def model_for(options: TrainingOptions, images: ImageSet) -> MIMOModel:
    """The model of the method that options name."""
    keras.utils.set_random_seed(options.seed)
    backbone, classes = backbone_for(options, images), images.num_classes
    name = options.method.replace("-", "_")
    if options.method in ("cutmix", "mixup"):
        return SingleNetwork(backbone, classes, name=name)
    if options.method == "manifold-mixup":
        return ManifoldMixUp(backbone, classes, name=name)
    shared = {"ensemble_of": options.ensemble_of, "name": name}
    if options.inference is not None:
        shared["inference"] = options.inference
    if options.method != "mixvit":
        r = 1.0 if options.method == "mimo" else options.r
        return MixMo(backbone, classes, options.num_subnetworks, r, **shared)
    attribution = options.source_attribution
    return MixViT(
        backbone,
        classes,
        options.num_subnetworks,
        source_attribution=None if attribution == "none" else attribution,
        attribution_position=options.attribution_position,
        input_mixing=options.input_mixing,
        seed=options.seed,
        **shared,
    )


def dataset_for(
    options: TrainingOptions, model: MIMOModel, images: ImageSet
) -> MixedPairDataset:
    """The data set that a model learns from."""
    manifold_mixing = pixel_mixing = None
    if isinstance(model, ManifoldMixUp):
        manifold_mixing = ManifoldMixing(model.places)
    kind = options.pixel_mixing
    if isinstance(model, SingleNetwork):
        kind = model.name
    if kind in ("cutmix", "mixup"):
        pixel_mixing = PixelMixing(kind)
    is_mixed = pixel_mixing is not None or manifold_mixing is not None
    return mixed_pair_dataset(
        images.images,
        images.labels,
        _masks_for(options, model),
        epochs=options.epochs,
        batch_size=options.batch_size,
        seed=options.seed,
        repetitions=1 if isinstance(model, SingleNetwork) else options.repetitions,
        num_classes=images.num_classes if is_mixed else None,
        pixel_mixing=pixel_mixing,
        manifold_mixing=manifold_mixing,
    )


def _masks_for(options, model):
    if isinstance(model, SingleNetwork):
        return model.mask_sampler()
    alpha = {} if options.alpha is None else {"alpha": options.alpha}
    if isinstance(model, MixMo):
        return model.mask_sampler(
            options.method, probability=options.probability, **alpha
        )
    return model.mask_sampler(**alpha)
