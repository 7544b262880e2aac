"""Finds where you can cut a functional Keras model in two."""

from dataclasses import dataclass
from typing import Any

import keras

from keras_mixvit._checks import require, require_known
from keras_mixvit.layers._batch_normalization import SynchronizedBatchNormalization


@dataclass(frozen=True)
class Call:
    """One call of a layer in a functional model.

    Args:
        name: String, the name of the layer.
        inputs: Tuple of the tensors that it reads.
        outputs: Tuple of the tensors that it returns.
    """

    name: str
    inputs: tuple
    outputs: tuple


def copied(
    model: keras.Model,
    image_shape: tuple[int, int, int],
    suffix: str = "",
    policy: keras.DTypePolicy | None = None,
) -> tuple[keras.Model, list[Call]]:
    """A copy of a functional model with its weights, and the calls that make it.

    The copy has `SynchronizedBatchNormalization`, with the same variables, in place of
    Keras's batch norm.

    Args:
        model: Functional `keras.Model` of one input.
        image_shape: Tuple of integers (H, W, C), the shape of the new input.
        suffix: String that is appended to the names of its layers. Defaults to `""`.
        policy: Dtype policy of its layers, or `None` for their own. Defaults to
            `None`.

    Returns:
        The copy, and a list of `Call` in the order of computation.
    """
    calls: list[Call] = []

    def own(layer):
        config = layer.get_config()
        kind = layer.__class__
        if kind is keras.layers.BatchNormalization:
            kind = SynchronizedBatchNormalization
            # Keras synchronises on TensorFlow only, this layer always.
            for name in ("synchronized", "renorm"):
                config.pop(name, None)
        if policy is not None and "dtype" in config:
            config["dtype"] = policy
        return kind.from_config({**config, "name": f"{layer.name}{suffix}"})

    def call(layer, *args, **kwargs):
        outputs = layer(*args, **kwargs)
        found = keras.tree.flatten((args, kwargs))
        inputs = tuple(x for x in found if keras.utils.is_keras_tensor(x))
        calls.append(Call(layer.name, inputs, tuple(keras.tree.flatten(outputs))))
        return outputs

    inputs = model.inputs[0]
    copy = keras.models.clone_model(
        model,
        input_tensors=keras.Input(
            image_shape, dtype=inputs.dtype, name=f"{inputs.name}{suffix}"
        ),
        clone_function=own,
        call_function=call,
        recursive=True,
    )
    copy.set_weights(model.get_weights())
    return copy, calls


def cuts(calls: list[Call], model: keras.Model) -> dict[str, Any]:
    """The layers after which the rest of a model reads a single tensor.

    Args:
        calls: List that `copied` returned.
        model: Model that `copied` returned.

    Returns:
        Dict from names of layers, in the order of computation, to their output. Layers
        within a skip connection are not among them.
    """
    last_use = {id(x): i for i, call in enumerate(calls) for x in call.inputs}
    last_use[id(model.output)] = len(calls)
    names = [call.name for call in calls]
    found = {}
    still_read = last_use[id(model.input)]
    for i, call in enumerate(calls):
        if len(call.outputs) == 1 and still_read <= i and names.count(call.name) == 1:
            found[call.name] = call.outputs[0]
        still_read = max(still_read, *(last_use.get(id(x), -1) for x in call.outputs))
    return found


def blocks_after(name: str, calls: list[Call], places: dict) -> list[list[str]]:
    """The names of the layers after a layer, grouped between cuts.

    Args:
        name: String, the name of a layer at which the model can be cut.
        calls: List that `copied` returned.
        places: Dict that `cuts` returned.
    """
    blocks: list[list[str]] = [[]]
    names = [call.name for call in calls]
    for layer in names[names.index(name) + 1 :]:
        blocks[-1].append(layer)
        if layer in places:
            blocks.append([])
    return blocks


def require_cut(argument: str, name: str, calls: list[Call], found: dict) -> Any:
    """The output of a layer at which a model can be cut.

    Args:
        argument: String, the name of the argument, for errors.
        name: String, the name of the layer.
        calls: List that `copied` returned.
        found: Dict that `cuts` returned, or a part of it.

    Raises:
        ValueError: If there is no such layer, or you cannot cut the model there; the
            error names the nearest layer where you can.
    """
    names = [call.name for call in calls]
    needs = " that divides the images" if argument == "grid" else " after `grid`"
    require_known(argument, name, names, "`model.summary()` lists the layers.")
    if name not in found:
        place = names.index(name)
        later = [other for other in found if names.index(other) > place]
        nearest = later[0] if later else list(found)[-1] if found else None
        require(
            False,
            f"`{argument}` must be a layer at which `model` can be cut: later layers "
            f"read only its output, which is a grid{needs}. Nearest: {nearest!r}.",
            **{argument: name},
        )
    return found[name]
