"""Arguments of each public class of `keras_mixvit.recipes`, none its default."""

from keras_mixvit import recipes

DATA = {
    "name": "mine.npz",
    "image_size": 8,
    "share": 0.5,
    "protocol": "validation",
    "val_share": 0.25,
}
LOSS = {"label_smoothing": 0.1, "class_weight": "balanced"}
SCHEDULE = {
    "learning_rate": 0.5,
    "batch_rule": "sqrt",
    "base_batch_size": 32,
    "warmup_epochs": 2.0,
    "decay_epochs": (30.0, 40.0),
    "decay_rate": 0.5,
    "layer_decay": 0.5,
    "frozen_blocks": 1,
    "new_layer_epochs": 1.5,
}
ARGUMENTS = {
    # The other protocol takes no `val_share`.
    "Data": lambda: {**DATA, "protocol": "paper", "val_share": None},
    "Loss": lambda: LOSS,
    "Part": lambda: {"name": "convit"},
    "Published": lambda: {
        "paper": "MixMo",
        "table": "Table 1",
        "row": "CutMix",
        "figures": (("top1", 84.05),),
        "recipe": "mine",
        "note": "given",
    },
    "Recipe": lambda: {
        "name": "given",
        "data": recipes.Data(**DATA),
        "backbone": recipes.Part("wide_resnet", depth=16),
        "method": recipes.Part("cut_mixmo", num_subnetworks=3, inference=1),
        "mixing": recipes.Part(masks="fmix"),
        "pairs": recipes.Part(repetitions=2),
        "augmentation": recipes.Part("flip"),
        "pixel_mixing": recipes.Part("cutmix", alpha=0.5),
        "loss": recipes.Loss(**LOSS),
        "optimizer": recipes.Part("adamw", weight_decay=0.5),
        "schedule": recipes.Schedule(**SCHEDULE),
        "batch_size": 8,
        "epochs": 50,
        "epoch_scale": 0.5,
        "width_scale": 2.0,
        "preset": "./my_preset",
        "num_members": 2,
        "ensemble_of": "probabilities",
        "precision": "bfloat16",
        "seed": 3,
        "note": "given",
    },
    "Schedule": lambda: SCHEDULE,
}
