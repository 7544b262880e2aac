"""Names of arguments in files that earlier versions wrote."""

from typing import Any

# What an argument was called before, by the class whose config holds it.
RENAMED = {
    "ManifoldMixUp": {"places": "num_layers"},
    "MixMo": {"num_heads": "num_classifiers"},
    "PreActivationBlock": {"strided": "strided_conv"},
    "WideResNet": {"strided": "strided_conv"},
}

# Arguments that no longer are: this layer does not draw.
DROPPED = {"BinarizedPatchCutMix": ("alpha", "seed")}


def with_new_names(owner: type, config: dict[str, Any]) -> dict[str, Any]:
    """A config with the names that the constructor of a class takes.

    Args:
        owner: The class, or a subclass of it.
        config: Dict of arguments, as a file holds it.
    """
    renamed: dict[str, str] = {}
    dropped: set[str] = set()
    for base in owner.__mro__:
        renamed |= RENAMED.get(base.__name__, {})
        dropped |= set(DROPPED.get(base.__name__, ()))
    return {
        renamed.get(name, name): value
        for name, value in config.items()
        if name not in dropped
    }
