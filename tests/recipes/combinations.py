"""Which method trains on which backbone: the list behind a table of docs/choosing.md.

`test_combinations.py` tries every cell, and `tools/make_tables.py` writes the table.
"""

# The methods of recipes, and the class of the model of each.
METHODS = {
    "mixvit": "MixViT",
    "mimo": "MixMo",
    "linear_mixmo": "MixMo",
    "cut_mixmo": "MixMo",
    "single": "SingleNetwork",
    "manifold_mixup": "ManifoldMixUp",
}
# The backbones of recipes, and the class of each.
BACKBONES = {
    "cait": "CaiT",
    "convit": "ConViT",
    "vit": "ViT",
    "wide_resnet": "WideResNet",
    "preact_resnet": "PreActResNet",
    "resnet": "ResNet",
}
# Backbones that only Python can make, and the words for them.
KEPT, SHRUNK = "kept", "shrunk"
OWN = {
    KEPT: "`KerasBackbone`, `features` of the size of `grid`",
    SHRUNK: "`KerasBackbone`, `features` smaller than `grid`",
}
# How a cell fails, as an error says it.
NO_RECIPE = (
    "A recipe cannot name a backbone of yours: give a `KerasBackbone` to `MixViT`, "
    "`MixMo`, `ManifoldMixUp` or `SingleNetwork`."
)
NO_TRANSFORMER = (
    "`backbone` must be a transformer with the method 'mixvit'. On residual networks, "
    "take 'cut_mixmo', 'linear_mixmo', 'mimo', 'manifold_mixup' or 'single'."
)
SHRINKS = (
    "`backbone` must have the same grid before and after its body, as transformers "
    "have. For other backbones, use `MixMo`, `ManifoldMixUp` or `SingleNetwork`."
)
# A Keras model is one group, so there are two layers at which samples can be mixed.
TWO_LAYERS = (
    "`num_layers` must not exceed 2, which is 1 plus the number of groups of the "
    "backbone."
)
YES, TWO = "yes", "`num_layers=2`"


def cell(method: str, backbone: str) -> str:
    """What the table says: `"yes"`, an option that it takes, or `"no"`."""
    if method == "mixvit" and shrinks(backbone):
        return "no"
    return TWO if method == "manifold_mixup" and backbone in OWN else YES


def shrinks(backbone: str) -> bool:
    """Whether the body has a smaller grid at its end."""
    return backbone.endswith("resnet") or backbone == SHRUNK


def table() -> str:
    """The table of docs/choosing.md, and what the errors say."""
    methods = [f"`{method}`, `{kind}`" for method, kind in METHODS.items()]
    lines = [
        "| backbone | " + " | ".join(methods) + " |",
        "|---|" + "---|" * len(methods),
    ]
    named = {name: f"`{name}`, `{kind}`" for name, kind in BACKBONES.items()}
    for backbone, words in {**named, **OWN}.items():
        cells = " | ".join(cell(method, backbone) for method in METHODS)
        lines.append(f"| {words} | {cells} |")
    return "\n".join(lines)
