"""The names of arguments in files of earlier versions."""

from typing import Any

# The old names of arguments, by the class whose config has them.
RENAMED = {
    "ManifoldMixUp": {"places": "num_layers"},
    "MixMo": {"num_heads": "num_classifiers"},
    "PreActivationBlock": {"strided": "strided_conv"},
    "WideResNet": {"strided": "strided_conv"},
}

# Arguments that no longer exist: this layer does not draw random numbers.
DROPPED = {"BinarizedPatchCutMix": ("alpha", "seed")}


def with_new_names(owner: type, config: dict[str, Any]) -> dict[str, Any]:
    """A config with the current names of the arguments of a class.

    Args:
        owner: The class, or a subclass of it.
        config: Dict of arguments, as in a file.
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
