"""Checks for replicas that are copies of a model, on TensorFlow and PyTorch."""

from keras_mixvit._checks import require


def require_own_layers(model) -> None:
    """Requires this library's dropout and batch norm in a model.

    Args:
        model: Built model.

    Raises:
        ValueError: If a layer of Keras would draw the same numbers on every replica, or
            use the statistics of a part of the batch.
    """
    repeated = _paths(model, "seed_generator_state", "differs_between_replicas")
    require(
        not repeated,
        "`model` must draw random numbers with `keras_mixvit.layers.Dropout`, "
        "`StochasticDepth` or `ReplicaSeedGenerator`: Keras's generators draw the "
        "same numbers on every replica.",
        generators=repeated,
    )
    local = _paths(model, "moving_mean", "is_of_all_replicas")
    require(
        not local,
        "`model` must normalise with "
        "`keras_mixvit.layers.SynchronizedBatchNormalization`: Keras's batch norm "
        "would use a part of each batch on every replica.",
        layers=local,
    )


def require_unmixed_features(pairs) -> None:
    """Requires mixed pairs without manifold mixing."""
    require(
        pairs.manifold_mixing is None,
        "`manifold_mixing` must be None if replicas see only parts of a batch; on "
        "JAX they see the whole batch.",
        manifold_mixing=pairs.manifold_mixing,
    )


def _paths(model, name, mark):
    return [
        variable.path
        for variable in model.non_trainable_variables
        if variable.name == name and not getattr(variable, mark, False)
    ]
