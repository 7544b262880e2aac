"""The predictions of a model that are judged, and their graph."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_mixvit._checks import is_integer, require, require_positive_integer
from keras_mixvit.data import ImageSet
from keras_mixvit.data.sources._array_checks import require_labels
from keras_mixvit.distribution._find_parallel import predict_spread
from keras_mixvit.models import Ensemble, MIMOModel, ensemble_logits
from keras_mixvit.models._data_checks import check_arrays
from keras_mixvit.models._data_passes import warn_of_workers
from keras_mixvit.models._graph import Graph


class Group(NamedTuple):
    """Predictions that are averaged, and their average.

    Fields:
        inference: The scheme, or `None`.
        part: What the average is called.
        parts: What each of the P predictions is called, or `None` for one
            that is judged with a group of its own.
        averaged: Logits `(n, K)`.
        logits: Logits `(n, P, K)`.
        ensemble_of: `"logits"` or `"probabilities"`, what is averaged.
        has_energy: Whether the P logits are those of networks, and not logarithms of
            averaged probabilities, which have no energy.
    """

    inference: str | int | None
    part: str
    parts: list[str | None]
    averaged: Any
    logits: Any
    ensemble_of: str = "logits"
    has_energy: bool = True


def graph_of(model: MIMOModel, schemes: list) -> tuple[keras.Model, list[Group]]:
    """One graph of all predictions, so that the images are read once.

    Args:
        model: The model.
        schemes: List of values of `inference`, or `[None]` for a model
            without the choice.

    Returns:
        The graph, whose outputs are a list of float32 logits, and the groups,
        with indices of the outputs in place of logits.
    """
    images = keras.Input(model.image_shape, name="images")
    outputs, groups = [], []

    def add(scheme, part, parts, averaged, logits, ensemble_of, has_energy=True):
        outputs.append(ops.cast(logits, "float32"))
        if len(parts) > 1:
            outputs.append(ops.cast(averaged, "float32"))
        last = len(outputs) - 1
        indices = (last, last - 1 if len(parts) > 1 else last)
        groups.append(Group(scheme, part, parts, *indices, ensemble_of, has_energy))

    for i, scheme in enumerate(schemes):
        network = model.inference_network
        if scheme is not None and scheme != model.inference:
            network = model.inference_network_of(scheme)
        # Under names of their own: a graph refuses two of one name.
        network = keras.Model(network.inputs, network.outputs[0], name=f"judged_{i}")
        logits = network(images)
        averaged = ensemble_logits(logits, model.ensemble_of)
        if isinstance(model, Ensemble):
            _add_members(add, model, logits, averaged)
        elif logits.shape[1] == 1:
            label = f"subnetwork {scheme}" if is_integer(scheme) else "network"
            add(scheme, label, [label], averaged, logits, model.ensemble_of)
        else:
            labels = [f"subnetwork {m}" for m in range(logits.shape[1])]
            add(scheme, "ensemble", labels, averaged, logits, model.ensemble_of)
    return Graph(images, outputs, name="judged"), groups


def _add_members(add, model, logits, averaged):
    """The members of an ensemble of models, and the subnetworks of each."""
    means, later, first = [], [], 0
    labels: list[str | None] = []
    for i, member in enumerate(model.models):
        last = first + member.inference_network.output.shape[1]
        own = logits[:, first:last]
        means.append(ensemble_logits(own, member.ensemble_of))
        label = f"member {i}"
        labels.append(label)
        if last - first > 1:
            names = [f"{label}, subnetwork {m}" for m in range(last - first)]
            later.append((None, label, names, means[-1], own, member.ensemble_of))
            labels[-1] = None
        first = last
    kinds = {member.ensemble_of for member in model.models} | {model.ensemble_of}
    if len(means) > 1:
        logits = ops.stack(means, axis=1)
    else:
        logits, labels = averaged[:, None], ["ensemble"]
    has_energy = "probabilities" not in kinds
    add(None, "ensemble", labels, averaged, logits, model.ensemble_of, has_energy)
    for arguments in later:
        add(*arguments)


def predicted(graph: keras.Model, groups: list, images, batch_size, verbose):
    """Groups with arrays, from one pass over the images."""
    batches = None if isinstance(images, keras.utils.PyDataset) else batch_size
    found = predict_spread(graph.predict, graph, images, batches, verbose=verbose)
    arrays = [np.asarray(array) for array in keras.tree.flatten(found)]
    for group in groups:
        logits = arrays[group.logits]
        alone = group.averaged == group.logits
        averaged = logits[:, 0] if alone else arrays[group.averaged]
        yield group._replace(logits=logits, averaged=averaged)


def images_and_labels(model: MIMOModel, data, batch_size: int, name: str = "data"):
    """Images, an array or a `PyDataset`, and integer labels, if they fit.

    Args:
        model: The model.
        data: `ImageSet`, or a pair of images and labels.
        batch_size: Positive integer.
        name: String, what errors call the data. Defaults to `"data"`.
    """
    require_positive_integer("batch_size", batch_size)
    is_pair = isinstance(data, (tuple, list)) and len(data) == 2
    require(
        isinstance(data, ImageSet) or is_pair,
        f"`{name}` must be an `ImageSet`, or a pair of images and labels.",
        **{name: type(data).__name__},
    )
    if isinstance(data, ImageSet):
        images, labels = images_of(model, data, batch_size, name), data.labels
    else:
        images = images_of(model, data[0], batch_size, name, stacklevel=6)
        labels = data[1]
        if not isinstance(images, keras.utils.PyDataset):
            require(
                len(images) == len(labels),
                f"`{name}` must have as many labels as images.",
                images=len(images),
                labels=len(labels),
            )
    labels = require_labels("labels", labels, model.num_classes)
    require(
        labels.ndim == 1, "`labels` must be integers, not soft.", shape=labels.shape
    )
    return images, labels


def images_of(
    model: MIMOModel, images, batch_size: int, name: str, stacklevel: int = 5
):
    """Images of an `ImageSet`, an array or a `PyDataset`, if they fit the model.

    Args:
        model: The model.
        images: The images.
        batch_size: Positive integer.
        name: String, what errors call the images.
        stacklevel: Integer, of warnings. Defaults to `5`.
    """
    if isinstance(images, ImageSet):
        require(
            tuple(images.images.shape[1:]) == model.image_shape,
            f"`{name}` must have images of shape {model.image_shape}.",
            image_shape=tuple(images.images.shape[1:]),
        )
        return images.batches(batch_size)
    warn_of_workers(images, stacklevel=stacklevel)
    if not isinstance(images, keras.utils.PyDataset):
        require(
            len(np.shape(images)) == 4,
            f"`{name}` must have images of shape (n, H, W, C).",
            shape=np.shape(images),
        )
        images = ops.convert_to_numpy(images)
    check_arrays(model, images, None)
    return images
