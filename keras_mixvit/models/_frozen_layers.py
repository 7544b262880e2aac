"""Which layers of a model are frozen, in a form that fits into its config."""

import keras


def frozen_paths(model: keras.Model) -> list[str]:
    """The sorted paths of all variables of frozen layers.

    Args:
        model: Built model.
    """
    paths = set()
    for layer in layers_of(model):
        if not layer.trainable:
            paths |= {variable.path for variable in layer.variables}
    return sorted(paths)


def freeze(model: keras.Model, paths: list[str]) -> None:
    """Freezes the layers all of whose trainable variables have these paths.

    Args:
        model: Built model without frozen layers.
        paths: List that `frozen_paths` returned.
    """
    frozen = set(paths)
    for layer in layers_of(model):
        found = {variable.path for variable in layer.trainable_variables}
        if found and found <= frozen:
            layer.trainable = False


def layers_of(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """A layer and all layers in it, outer layers first, each once."""
    found, waiting = {}, [layer]
    while waiting:
        layer = waiting.pop(0)
        if id(layer) in found:
            continue
        found[id(layer)] = layer
        parts = [value for name, value in vars(layer).items() if name[0] != "_"]
        if isinstance(layer, keras.Model):
            parts.append(layer.layers)
        if keras.config.backend() == "torch":
            parts.append(list(layer.children()))
        waiting += [
            part
            for part in keras.tree.flatten(parts)
            if isinstance(part, keras.layers.Layer)
        ]
    return list(found.values())
