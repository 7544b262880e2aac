"""Exchanges between the replicas of one training step.

On JAX, one program runs over global arrays, so nothing here has an effect. On
TensorFlow, a replica is a copy of the model within a strategy; on PyTorch, it is a
process of the group that `data_parallel` joined.
"""

import functools

import keras

# The groups that `data_parallel` joined on PyTorch, innermost last.
_JOINED: list = []
# Large, so the seeds of two replicas stay apart.
SEED_STRIDE = 1_000_003


def join(parallel) -> None:
    """Makes this process one of several that train one model on PyTorch.

    Args:
        parallel: A `Parallel` with `process_index`, `process_count`, and
            `peer_errors`, a context of exchanges.
    """
    _JOINED.append(parallel)


def leave(parallel) -> None:
    """Undoes `join`."""
    _JOINED.remove(parallel)


def joined_processes():
    """The `Parallel` of the processes that this one trains with, or `None`."""
    return _JOINED[-1] if _JOINED else None


def seed_shift():
    """The number that a replica adds to its seeds: a number, a scalar tensor, or 0."""
    if keras.config.backend() == "torch":
        joined = joined_processes()
        return 0 if joined is None else joined.process_index * SEED_STRIDE
    if keras.config.backend() == "tensorflow":
        context = _replica_context()
        if context is not None:
            return context.replica_id_in_sync_group * SEED_STRIDE
    return 0


def are_several() -> bool:
    """Whether this replica sees only a part of each batch."""
    if keras.config.backend() == "torch":
        return joined_processes() is not None
    return keras.config.backend() == "tensorflow" and _replica_context() is not None


def sum_over_replicas(x):
    """The sum of a tensor over all replicas, which gradients pass through."""
    if keras.config.backend() == "torch":
        return _summing().apply(x)
    import tensorflow as tf

    return _replica_context().all_reduce(tf.distribute.ReduceOp.SUM, x)


def _replica_context():
    """TensorFlow's context of one of several replicas, or `None`."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    several = context is not None and context.num_replicas_in_sync > 1
    return context if several else None


@functools.cache
def _summing():
    import torch

    def total_of(x):
        total = x.clone()
        with joined_processes().peer_errors():
            torch.distributed.all_reduce(total)
        return total

    class Sum(torch.autograd.Function):
        """All-reduce; the gradient of a sum is the sum of the gradients."""

        @staticmethod
        def forward(ctx, x):
            return total_of(x.detach())

        @staticmethod
        def backward(ctx, gradient):
            return total_of(gradient)

    return Sum
