"""What a recipe refuses."""

import pytest

from keras_mixvit.recipes import Recipe


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"backbone": "vgg"}, r"`backbone` must be a known name\. Known: 'convit', "),
        ({"backbone": "cait_xss24"}, r"Nearest: 'cait_xs24', 'cait_xxs24'"),
        ({"augmentation": "crop_filp"}, r"Nearest: 'crop_flip'"),
        (
            {"epochs": 0},
            r"`epochs` must be an integer of at least 1\. Received: epochs=0",
        ),
        ({"batch_size": 1.5}, r"`batch_size` must be an integer\. Rec"),
        (
            {"pairs": {"repetitions": 3}},
            r"`pairs\.repetitions` must divide `batch_size`\. "
            r"Received: pairs\.repetitions=3, batch_size=64",
        ),
        ({"seed": -1}, r"`seed` must be an integer of at least 0\. Received: seed=-1"),
        ({"width_scale": 0}, r"`width_scale` must be a positive finite number\. Rec"),
        (
            {"loss": {"label_smoothing": 1.0}},
            r"`loss\.label_smoothing` must be in \[0, 1\)\. Rec",
        ),
        (
            {"augmentation": {"random_erasing": 1.5}},
            r"`augmentation\.random_erasing` must be in \[0, 1\]\. Rec",
        ),
        (
            {"schedule": {"learning_rate": float("nan")}},
            r"`schedule\.learning_rate` must be a positive finite number\. "
            r"Received: schedule\.learning_rate=nan",
        ),
        (
            {"schedule": {"learning_rate": float("inf")}},
            r"`schedule\.learning_rate` must be a positive fin",
        ),
        (
            {"data": {"share": 0}},
            r"`data\.share` must be in \(0, 1\]\. Received: data\.sh",
        ),
        (
            {"data": {"protocol": "paper", "val_share": 0.2}},
            r"`data\.val_share` must not be set with the protocol 'paper'",
        ),
        (
            {"optimizer": {"weight_decay": -0.1}},
            r"`optimizer\.weight_decay` must not be negative\. Rec",
        ),
        (
            {"augmentation": {"name": "crop_flip", "crop_padding": 0}},
            r"`augmentation\.crop_padding` must be an integer of at least 1\. Rec",
        ),
        (
            {"optimizer": {"name": "sgd", "weight_decay": "much"}},
            r"`optimizer\.weight_decay` must be an integer or a number or none\. Rec",
        ),
        ({"data": "\udcff.npz"}, r"`data\.name` must be text that UTF-8 can encode"),
        (
            {"optimizer": "sgd", "schedule": {"batch_rule": "linear"}},
            r"`schedule\.batch_rule` must not be set with SGD unless `schedule\.lear",
        ),
        (
            {"method": "cut_mixmo"}
            | {"mixing": {"always_binary": True, "probability": 0.3}},
            r"`mixing\.probability` must not be set with `mixing\.always_binary`",
        ),
        (
            {"schedule": {"base_batch_size": 256}},
            r"`schedule\.base_batch_size` must not be set without `schedule\.batch_ru",
        ),
        (
            {"schedule": {"decay_epochs": (), "decay_rate": 0.5}},
            r"`schedule\.decay_rate` must not be set without `schedule\.decay_epochs`",
        ),
        ({"backbone": ""}, r"`backbone` must not be an empty name\. Received: backb"),
        ({"backbone": {"name": "", "width": 8}}, r"`backbone` must not be an empty"),
        ({"method": ""}, r"`method` must not be an empty name\. Rec"),
        ({"augmentation": ""}, r"`augmentation` must not be an empty name\. Rec"),
        ({"pixel_mixing": ""}, r"`pixel_mixing` must not be an empty name\. Rec"),
        ({"optimizer": ""}, r"`optimizer` must not be an empty name\. Rec"),
        ({"mixing": ""}, r"`mixing` must not be an empty name\. Rec"),
        ({"pairs": ""}, r"`pairs` must not be an empty name\. Rec"),
        ({"data": ""}, r"`data\.name` must not be empty\. Received: data\.name=''"),
        ({"backbone": None}, r"`backbone` must be a `Part`, a string or a dict\. Rec"),
        ({"method": None}, r"`method` must be a `Part`, a string or a dict\. Rec"),
        ({"augmentation": None}, r"`augmentation` must be a `Part`, a string or a d"),
        ({"optimizer": {"clipnorm": -1}}, r"`optimizer\.clipnorm` must be positive"),
        (
            {"optimizer": {"gradient_accumulation_steps": 1}},
            r"`optimizer\.gradient_accumulation_steps` must be an integer of at le",
        ),
        (
            {"optimizer": {"ema_momentum": 0.5}},
            r"`optimizer\.ema_momentum` must not be set without `optimizer\.use_ema`",
        ),
        (
            {"optimizer": {"momentum": 0.5}},
            r"`optimizer\.momentum` must not be set with the optimizer 'adamw'\.",
        ),
        (
            {"optimizer": {"learning_rate": 0.5}},
            r"`optimizer\.learning_rate` must not be set; set `schedule\.learning_",
        ),
        (
            {"schedule": {"layer_decay": 0.5}},
            r"`schedule\.layer_decay` must not be set without a preset, whose weights "
            r"it protects\. Received: schedule\.layer_decay=0\.5$",
        ),
        (
            {"schedule": {"frozen_blocks": 1}},
            r"`schedule\.frozen_blocks` must not be set without a preset",
        ),
        (
            {"schedule": {"new_layer_epochs": 1.0}},
            r"`schedule\.new_layer_epochs` must not be set without a preset",
        ),
        (
            {"schedule": {"layer_decay": 1.5}, "preset": "p"},
            r"`schedule\.layer_decay` must be in \(0, 1\]\. Received: schedule\.lay",
        ),
        (
            {"schedule": {"frozen_blocks": -1}, "preset": "p"},
            r"`schedule\.frozen_blocks` must be an integer of at least 0\. Received",
        ),
        (
            {"schedule": {"new_layer_epochs": 60.0}, "preset": "p"},
            r"`schedule\.new_layer_epochs` must be in \[0, epochs\); `epoch_scale` sh",
        ),
        (
            {"ensemble_of": "probabilities", "method": "single"},
            r"`ensemble_of` must not be set with one network of one subnetwork\.",
        ),
        (
            {"pixel_mixing": {"alpha": 0.5}},
            r"`pixel_mixing\.alpha` must not be set with the pixel mixing 'none'\.",
        ),
        (
            {"pixel_mixing": {"name": "cutmix", "mixup_alpha": 0.5}},
            r"`pixel_mixing\.mixup_alpha` must not be set with the pixel mixing "
            r"'cutmix'\.",
        ),
        (
            {"pixel_mixing": {"name": "cutmix", "visible_share": False}}
            | {"method": "single"},
            r"`pixel_mixing\.visible_share` must not be set with the method 'single'",
        ),
        (
            {"method": "cut_mixmo", "backbone": "wide_resnet"}
            | {"mixing": {"several": "two"}},
            r"`mixing\.several` must not be set with two subnetworks\. Received: mix",
        ),
        (
            {"method": {"name": "cut_mixmo", "num_subnetworks": 3}}
            | {"mixing": {"several": "two"}},
            r"`mixing\.several` must not be set with boxes of whole patches or 'cow",
        ),
        (
            {"method": {"name": "cut_mixmo", "num_subnetworks": 3}}
            | {"backbone": "wide_resnet"}
            | {"mixing": {"masks": "cowmask", "several": "two"}},
            r"`mixing\.several` must not be set with boxes of whole patches or 'cow",
        ),
        (
            {"method": "cut_mixmo", "backbone": "wide_resnet"}
            | {"mixing": {"masks": "cowmask", "alpha": 1.0, "always_binary": True}},
            r"`mixing\.alpha` must not be set with 'cowmask' and `mixing\.always_bin",
        ),
        (
            {"pairs": {"input_order": "random"}},
            r"`pairs\.input_order` must not be set with the method 'mixvit'\. Rec",
        ),
        (
            {"pairs": {"apply_on": "device"}},
            r"`pairs\.apply_on` must not be set if images are neither augmen",
        ),
        (
            {"epochs": 30, "schedule": {"decay_epochs": (125, 140)}},
            r"`schedule\.decay_epochs` must be in \(0, epochs\); `epoch_scale` "
            r"shortens a training with its schedule\. Received: "
            r"schedule\.decay_epochs=\(125, 140\), epochs=30",
        ),
        (
            {"epochs": 1, "schedule": {"warmup_epochs": 1}},
            r"`schedule\.warmup_epochs` must be in \[0, epoch",
        ),
    ],
)
def test_wrong_recipes_are_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        Recipe(**changes)


def test_what_has_no_use_any_more_goes_with_a_setting():
    made = Recipe(schedule={"batch_rule": "sqrt", "base_batch_size": 64})
    for value in ({"schedule.batch_rule": "none"}, ["schedule.batch_rule=none"]):
        assert made.with_settings(value) == Recipe()
    text = r"`schedule\.base_batch_size` must not be set without"
    with pytest.raises(ValueError, match=text):
        made.with_settings(["schedule.batch_rule=none", "schedule.base_batch_size=32"])
    made = Recipe(schedule={"decay_rate": 0.5})
    for falls in ({"schedule.decay_epochs": ()}, ["schedule.decay_epochs=()"]):
        found = made.with_settings(falls).schedule
        assert (found.decay_epochs, found.decay_rate) == ((), 0.1)


@pytest.mark.parametrize("part", ["backbone", "method", "optimizer", "pairs", "data"])
def test_an_empty_setting_is_an_error(part):
    text = rf"`{part}(\.name)?` must (not )?be .* Received: {part}.*''"
    with pytest.raises(ValueError, match=text):
        Recipe().with_settings([f"{part}="])
