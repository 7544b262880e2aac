import os
from collections.abc import Sequence
from typing import Any, Self

import keras

from keras_mixvit._checks import require, require_image_size
from keras_mixvit._model_mixin import ModelMixin
from keras_mixvit.convert import Preset, load_timm_weights
from keras_mixvit.convert._hub import fetch
from keras_mixvit.convert._keras_hub import read_keras_hub
from keras_mixvit.convert._preset import is_preset
from keras_mixvit.convert._preset_folder import push_preset, write_preset
from keras_mixvit.convert._preset_weights import load_preset_weights
from keras_mixvit.convert._pretrained import backbone_of

SINGLE = "keras_mixvit>SingleNetwork"


class Presets(ModelMixin):
    """Mixin of models with a backbone: networks in folders and on the hub."""

    @classmethod
    def from_preset(
        cls,
        name: str | os.PathLike,
        /,
        num_classes: int | None = None,
        image_size: int | tuple[int, int] | None = None,
        revision: str | None = None,
        cache_dir: str | None = None,
        backbone_options: dict | None = None,
        **options: Any,
    ) -> Self:
        """A model that starts from pretrained weights: of this library, or of timm.

        The preset comes from a folder, the cache, or the Hugging Face hub; a download
        shows its progress. The model takes images with values from 0 to 255.

        A preset of this library gives the same model again. A preset of
        `SingleNetwork`, and every preset of timm, also becomes a model of several
        subnetworks: each has a copy of the stem and, unless you give `num_classes`, of
        the head. In `MixViT`, the source vectors are new and small. In `MixMo`, take
        `mixing_scale=1.0` if each subnetwork is to start as the single network.

        Args:
            name: String: a name of timm, such as `"cait_xxs24_224.fb_dist_in1k"` or
                `"timm/cait_xxs24_224.fb_dist_in1k"`; a repository
                `"hf://owner/name"` of the hub; or the path of a folder, such as
                `"./my_cait"`, which `save_to_preset` wrote, or which holds
                `config.json` and `model.safetensors` of timm.
            num_classes: Integer, the number K of classes of new heads, or `None` to
                keep the pretrained classes and heads; each subnetwork gets a copy of
                the head of a single network. Defaults to `None`.
            image_size: Integer or tuple of integers (H, W) in pixels, or `None` for the
                size that the weights were trained on. Defaults to `None`.
            revision: String, a branch, tag or commit on the hub, or `None` for
                the newest one. Defaults to `None`.
            cache_dir: String, the folder for downloaded files, or `None` for the hub
                client's cache. Defaults to `None`.
            backbone_options: Dict of arguments of the backbone to override, such as
                `{"stochastic_depth_rate": 0.1}`, or `None`. Defaults to `None`.
            **options: Further arguments of the model's constructor.

        Returns:
            The model.

        Raises:
            ValueError: If there is no such preset, it is of another model, a file
                is damaged, or the weights do not fit.
            ConnectionError: If the hub cannot be reached.
            ModuleNotFoundError: If the extra `hub` is not installed.

        Example:

        ```python
        model = MixViT.from_preset("./my_cait", num_classes=10, image_size=32)
        model.save_to_preset("my_mixvit")
        again = MixViT.from_preset("./my_mixvit")
        assert again.predict(np.zeros((2, 32, 32, 3)), verbose=0).shape == (2, 10)
        ```
        """
        config, path = fetch(name, revision, cache_dir)
        require(
            backbone_options is None or isinstance(backbone_options, dict),
            "`backbone_options` must be a dict of arguments, or None.",
            backbone_options=backbone_options,
        )
        if is_preset(config):
            preset = Preset.of(config, path)
            return built_from(
                cls, preset, num_classes, image_size, backbone_options, options
            )
        found = backbone_of(name, config, path, image_size, backbone_options)
        keeps_head = num_classes is None
        classes = found.num_classes if keeps_head else num_classes
        model = cls(found.backbone, classes, **options)
        load_timm_weights(model, found.path, keeps_head, found.source_grid)
        return model

    @classmethod
    def from_keras_hub(
        cls,
        model: keras.Model,
        num_classes: int | None = None,
        image_size: int | tuple[int, int] | None = None,
        backbone_options: dict | None = None,
        **options: Any,
    ) -> Self:
        """A model that starts from a ViT of keras-hub.

        It takes the images that a call of `model` takes, and its outputs are logits,
        also where those of `model` are probabilities.
        `backbone_options={"mean": 127.5, "std": 127.5}` makes that images of 0 to 255.

        Args:
            model: `ViTImageClassifier` or `ViTBackbone` of keras-hub, as in
                `keras_hub_backbone`.
            num_classes: Integer, the number K of classes of new heads, or `None`:
                each subnetwork gets a copy of the head of the classifier. Defaults to
                `None`.
            image_size: Integer or tuple of integers (H, W) in pixels, or `None` for
                that of `model`. Defaults to `None`.
            backbone_options: Dict of arguments of `ViT` to override, such as
                `{"stochastic_depth_rate": 0.1}`, or `None`. Defaults to `None`.
            **options: Further arguments of the model's constructor.

        Returns:
            The model.

        Raises:
            ValueError: If `model` is no such model, has an option that `ViT` lacks, or
                has no head and `num_classes` is `None`.

        Example:

        ```python
        # classifier = keras_hub.models.ViTImageClassifier.from_preset(
        #     "vit_base_patch16_224_imagenet"
        # )
        model = MixViT.from_keras_hub(classifier, num_classes=10)
        assert model.num_subnetworks == 2
        ```
        """
        keeps_head = num_classes is None
        found = read_keras_hub(
            model, image_size, backbone_options, keeps_head, "backbone_options"
        )
        classes = found.num_classes if keeps_head else num_classes
        require(
            classes is not None,
            "`num_classes` must be given for a `ViTBackbone`, which has no head.",
            num_classes=num_classes,
        )
        made = cls(found.backbone, classes, **options)
        load_timm_weights(made, found.weights, keeps_head, found.source_grid)
        return made

    def save_to_preset(
        self,
        folder: str | os.PathLike,
        class_names: Sequence[str] | None = None,
        license: str | None = None,
        description: str | None = None,
    ) -> None:
        """Writes the model into a folder that `from_preset` reads on any backend.

        The folder holds `config.json`, the weights as `model.safetensors`, and a model
        card, `README.md`. It does not hold the optimizer: use `save` to continue a
        training. `keras-mixvit export RUN --format preset` fills in the card from a
        run.

        Args:
            folder: Path of a new or empty folder.
            class_names: Sequence of K strings, or `None`. Defaults to `None`.
            license: String, the license of the weights, such as `"mit"`, or `None`.
                Defaults to `None`.
            description: String, Markdown about training and results for the model card,
                or `None`. Defaults to `None`.

        Raises:
            ValueError: If an argument is invalid, or the model has LoRA weights or
                is quantized in a mode that cannot be saved.
            ModuleNotFoundError: If the extra `hub` is not installed.

        Example:

        ```python
        model = MixViT(CaiT((8, 8, 1), 2, 16, 4, num_blocks=1), num_classes=2)
        model.save_to_preset("cats_and_dogs", ["cat", "dog"], license="mit")
        again = MixViT.from_preset("./cats_and_dogs")
        ```
        """
        write_preset(self, folder, class_names, license, description)

    def push_to_hub(
        self,
        repository: str,
        class_names: Sequence[str] | None = None,
        license: str | None = None,
        description: str | None = None,
        private: bool = False,
        token: str | None = None,
    ) -> str:
        """Uploads what `save_to_preset` writes to the Hugging Face hub.

        Args:
            repository: String, `"owner/name"`. It is made if it does not exist.
            class_names: Sequence of K strings, or `None`. Defaults to `None`.
            license: String, the license of the weights, such as `"mit"`, or `None`.
                Defaults to `None`.
            description: String, Markdown about training and results for the model card,
                or `None`. Defaults to `None`.
            private: Boolean, whether a new repository is private. Defaults to
                `False`.
            token: String, an access token with the right to write, or `None` for that
                of `hf auth login`. Defaults to `None`.

        Returns:
            String, the address of the commit.

        Raises:
            ValueError: If an argument is invalid, as in `save_to_preset`.
            ConnectionError: If the hub cannot be reached, or refuses the upload.
            ModuleNotFoundError: If the extra `hub` is not installed.
        """
        return push_preset(
            self, repository, class_names, license, description, private, token
        )


def built_from(
    kind: type,
    preset: Preset,
    num_classes: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    backbone_options: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """A model of class `kind` with the weights of a preset of this library.

    Args:
        kind: Class of models with a backbone, or `Presets` for that of the preset.
        preset: `Preset`.
        num_classes: As in `from_preset`. Defaults to `None`.
        image_size: As in `from_preset`. Defaults to `None`.
        backbone_options: As in `from_preset`. Defaults to `None`.
        options: Dict of further arguments of the constructor, or `None`. Defaults to
            `None`.
    """
    registered = preset.model.get("registered_name")
    saved = keras.saving.get_registered_object(registered)
    require(
        isinstance(saved, type) and issubclass(saved, Presets),
        "`name` must be a preset of a model that is registered with Keras.",
        model=registered,
    )
    is_same, is_single = issubclass(saved, kind), registered == SINGLE
    wanted = " or of ".join(dict.fromkeys((kind.__name__, "SingleNetwork")))
    require(
        is_same or is_single,
        f"`name` must be a preset of {wanted}.",
        model=saved.__name__,
    )
    config = dict(preset.model["config"])
    backbone = dict(config["backbone"])
    changes, options = dict(backbone_options or {}), dict(options or {})
    require(
        "image_shape" not in changes and "patch_size" not in changes,
        "`backbone_options` must not have `image_shape` (use `image_size`) or "
        "`patch_size` (the weights decide it).",
        backbone_options=sorted(changes),
    )
    if image_size is not None:
        size: Any = require_image_size(image_size)
        channels = preset.preprocessing["image_shape"][2]
        changes["image_shape"] = (*size, channels)
    require(
        "quantized" not in config or not (changes or options or num_classes),
        "`name` must be a preset without quantized layers to be changed. Change "
        "the model first, then quantize it.",
        quantized=sorted(config.get("quantized", {}))[:3],
    )
    backbone["config"] = {**backbone["config"], **changes}
    config["backbone"] = backbone
    keeps_heads = num_classes is None
    if not keeps_heads:
        # New heads have no temperature yet.
        config |= {"num_classes": num_classes, "temperature": 1.0}
    if is_same:
        model = saved.from_config({**config, **options})
    else:
        kept = {name: config[name] for name in ("num_classes", "temperature", "dtype")}
        kept["dtype"] = keras.dtype_policies.deserialize(kept["dtype"])
        backbone = keras.saving.deserialize_keras_object(backbone)
        model = kind(**{"backbone": backbone, **kept, **options})
    load_preset_weights(model, preset.path, keeps_heads, is_single and not is_same)
    return model
