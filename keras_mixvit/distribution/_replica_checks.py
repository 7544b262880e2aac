"""What replicas that are copies of a model, not parts of one program, can train."""

from keras_mixvit._checks import require


def require_own_layers(model) -> None:
    """Requires dropout and batch norm of this library in a model.

    Args:
        model: Built model.

    Raises:
        ValueError: If a layer of Keras would draw the same numbers on every
            replica, or take the statistics of a part for those of a batch.
    """
    repeated = _paths(model, "seed_generator_state", "differs_between_replicas")
    require(
        not repeated,
        "`model` must draw by `keras_mixvit.layers.Dropout`, `StochasticDepth` or "
        "`ReplicaSeedGenerator`: generators of Keras repeat themselves on every "
        "replica.",
        generators=repeated,
    )
    local = _paths(model, "moving_mean", "is_of_all_replicas")
    require(
        not local,
        "`model` must normalise by "
        "`keras_mixvit.layers.SynchronizedBatchNormalization`: Keras's batch norm "
        "would see a part of each batch on every replica.",
        layers=local,
    )


def require_unmixed_features(pairs) -> None:
    """Requires mixed pairs whose features no network mixes over a batch."""
    require(
        pairs.manifold_mixing is None,
        "`manifold_mixing` must be None where replicas see parts of a batch; on JAX "
        "they see all of it.",
        manifold_mixing=pairs.manifold_mixing,
    )


def _paths(model, name, mark):
    return [
        variable.path
        for variable in model.non_trainable_variables
        if variable.name == name and not getattr(variable, mark, False)
    ]
