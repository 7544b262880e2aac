"""What happens before and after Keras reads data sets."""

import contextlib
from collections.abc import Iterator
from typing import Any

from keras_mixvit._checks import require
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.data._tf_batches import SERVED, pairs_of
from keras_mixvit.data.sources._batch_reader import closing
from keras_mixvit.models._keras_workarounds import warn_of_workers


@contextlib.contextmanager
def passing_over(*data: Any, batches_per_call: int = 1) -> Iterator[None]:
    """Warns of data that Keras would read wrongly, and stops the threads at the end.

    Args:
        *data: The data passed to `fit`, `evaluate` or `predict`.
        batches_per_call: Integer, the model's `steps_per_execution`: while one call
            runs, threads prepare the batches of the next one. Defaults to `1`.
    """
    for item in data:
        warn_of_workers(item, stacklevel=5)
    readers = [pairs_of(item) or item for item in data]
    with closing(*readers, batches_per_call=batches_per_call):
        yield


def led_pairs(x: Any) -> list[MixedPairDataset]:
    """The data sets of mixed pairs whose epoch `fit` must set for `x`.

    Args:
        x: The data passed to `fit`.
    """
    if isinstance(x, MixedPairDataset):
        return [x]
    known = pairs_of(x)
    if known is not None:
        return [known]
    # A `tf.data.Dataset` made from one of them, such as by `.prefetch(2)`.
    return list(SERVED) if type(x).__module__.startswith("tensorflow") else []


def with_steps(x: Any, steps_per_epoch: int | None) -> Any:
    """Mixed pairs with shorter epochs.

    Args:
        x: `MixedPairDataset`, or a `tf.data.Dataset` of one.
        steps_per_epoch: Integer, or `None` for the epochs of the data set.

    Raises:
        ValueError: If the epochs of a `tf.data.Dataset` have another length.
    """
    if isinstance(x, MixedPairDataset):
        return x if steps_per_epoch is None else x.first_batches(steps_per_epoch)
    require(
        steps_per_epoch in (None, len(pairs_of(x))),
        "`steps_per_epoch` must be None with `as_tf_dataset()`. Use "
        "`pairs.first_batches(steps_per_epoch).as_tf_dataset()`.",
        steps_per_epoch=steps_per_epoch,
    )
    return x
