"""Arguments of each public class of `keras_mixvit.recipes`, none its default."""

from keras_mixvit import recipes

ARGUMENTS = {
    "Published": lambda: {
        "paper": "MixMo",
        "place": "Table 1",
        "row": "CutMix",
        "figures": (("top1", 84.05),),
        "recipe": "mine",
        "note": "given",
    },
    "Recipe": lambda: {
        "name": "given",
        "data": "mine.npz",
        "method": "cut-mixmo",
        "backbone": "wideresnet",
        "depth": 16,
        "num_subnetworks": 3,
        "inference": 1,
        "decay_epochs": (30.0, 40.0),
        "published": (recipes.Published("MixMo", "Table 1", "CutMix"),),
    },
}
