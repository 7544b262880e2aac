import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.data.sources._image_batches import ImageBatches


@dataclass(frozen=True)
class Part:
    """The data of one pass of `evaluate`.

    Args:
        arguments: Dict of arguments of `keras.Model.evaluate`.
        is_whole: Boolean, whether every device sees all data. Defaults to `False`.
        copies: Integer, how often each row is repeated, one copy after the other.
            Defaults to `1`.
    """

    arguments: dict
    is_whole: bool = False
    copies: int = 1


class Parallel:
    """A context in which one model trains on several devices.

    `data_parallel` and `model_parallel` return it. Build, compile and train the model
    in it; `fit`, `evaluate` and `predict` of this library's models use it
    automatically.

    Args:
        num_replicas: Integer, the number of devices, or groups of devices, that share
            the samples of a batch.
        process_index: Integer, the index of this process. Defaults to `0`.
        process_count: Integer, the number of processes. Defaults to `1`.

    Example:

    ```python
    with data_parallel() as parallel:
        assert parallel.agree("alike") == "alike"
    ```
    """

    def __init__(
        self, num_replicas: int, process_index: int = 0, process_count: int = 1
    ):
        self.num_replicas = num_replicas
        self.process_index = process_index
        self.process_count = process_count

    def scope(self) -> contextlib.AbstractContextManager:
        """The backend's context for creating variables."""
        return contextlib.nullcontext()

    def __enter__(self) -> "Parallel":
        self._entered = self.scope()
        self._entered.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._entered.__exit__(*error)

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.process_index == 0

    def agree(self, value: Any) -> Any:
        """Returns the value of process 0 in every process.

        Args:
            value: Any value that JSON can represent.
        """
        return value

    def numbers(self, value: int) -> list[int]:
        """Returns the integers of all processes, in their order.

        Args:
            value: Integer.
        """
        return [value]

    def on_main(self, function: Callable[[], Any]) -> Any:
        """Calls a function in process 0, and returns its result in every process.

        Args:
            function: Function without arguments, whose result JSON can represent.

        Raises:
            ConnectionError: In the other processes, if the function fails.
        """
        result = error = None
        if self.is_main:
            try:
                result = function()
            except Exception as found:
                error = found
        result, has_failed = self.agree([result, error is not None])
        if error is not None:
            raise error
        if has_failed:
            raise ConnectionError("Process 0 of the training could not continue.")
        return result

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Lets this process compute alone within the context."""
        yield

    def check(self, model: keras.Model) -> None:
        """Requires a compiled model that trains the same way on every replica."""

    @contextlib.contextmanager
    def training(self, model: keras.Model) -> Iterator[None]:
        """Keeps the replicas of a model equal within the context."""
        yield

    @contextlib.contextmanager
    def evaluating(self, part: Part) -> Iterator[None]:
        """Makes `evaluate` or `predict` see a part of the data, within the context."""
        yield

    def own_batches(self, pairs: MixedPairDataset) -> MixedPairDataset:
        """The part of each batch of mixed pairs that this process reads."""
        self._require_divided(pairs)
        return pairs

    def require_data(self, x: Any) -> None:
        """Requires data other than mixed pairs to be usable in `fit`."""

    def parts(
        self,
        model: keras.Model,
        x: Any,
        y: Any,
        sample_weight: Any,
        batch_size: int | None,
    ) -> list[Part]:
        """The parts over which `evaluate` passes, one after the other.

        Args:
            model: Model.
            x: Images, mixed pairs or a data set.
            y: Labels, or `None`.
            sample_weight: Array, or `None`.
            batch_size: Integer, or `None`.
        """
        if isinstance(x, MixedPairDataset):
            return [Part({"x": self.own_batches(x)})]
        return [Part(arguments(x, y, sample_weight, batch_size))]

    def parts_to_predict(
        self, model: keras.Model, x: Any, batch_size: int | None, steps: int | None
    ) -> list[Part]:
        """The parts over which `predict` passes, in the order of the images.

        Args:
            model: Model.
            x: Images, or a data set of them.
            batch_size: Integer, or `None`.
            steps: Integer, the number of batches to use, or `None` for all.
        """
        return [Part(arguments(x, batch_size=batch_size), is_whole=True)]

    def summed(self, model: keras.Model, variables: list) -> list | None:
        """The sums of metrics over processes with separate metrics, or `None`.

        Args:
            model: Model.
            variables: List of variables of metrics.
        """

    def _require_divided(self, pairs):
        batches = {pairs.batch_size, pairs.last_batch_size}
        uneven = sorted(size for size in batches if size % self.num_replicas)
        require(
            not uneven,
            f"`batch_size` must be a multiple of {self.num_replicas}, the number of "
            "devices, and so must the size of the last batch, which "
            "`drop_remainder=True` leaves out.",
            batch_size=pairs.batch_size,
            last_batch=pairs.last_batch_size,
        )


def arguments(x, y=None, sample_weight=None, batch_size=None) -> dict:
    """The arguments of `evaluate` that are not `None`."""
    given = {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}
    return {key: value for key, value in given.items() if value is not None}


def rows_of(x) -> int | None:
    """The number of rows of data that can be sliced, or `None`."""
    if isinstance(x, np.ndarray):
        return len(x)
    if isinstance(x, dict) and all(isinstance(v, np.ndarray) for v in x.values()):
        return len(next(iter(x.values())))
    return len(x.labels) if isinstance(x, ImageBatches) else None


def rows_between(x, y, sample_weight, batch_size: int, start: int, stop: int) -> dict:
    """The rows from `start` to `stop`, as arguments of `evaluate`."""
    if isinstance(x, ImageBatches):
        return {"x": x.rows(start, stop, batch_size)}
    part = slice(start, stop)
    x = {key: v[part] for key, v in x.items()} if isinstance(x, dict) else x[part]
    y, sample_weight = (v if v is None else v[part] for v in (y, sample_weight))
    return arguments(x, y, sample_weight, batch_size)


def size_of_batches(x, batch_size: int | None) -> int:
    """The batch size that Keras would use."""
    return x.batch_size if isinstance(x, ImageBatches) else batch_size or 32
