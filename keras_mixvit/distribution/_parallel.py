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
    """Data of one pass of `evaluate`.

    Args:
        arguments: Dict of arguments of `keras.Model.evaluate`.
        is_whole: Boolean, whether every device sees all of it. Defaults to
            `False`.
        copies: Integer, how often each row stands in them, one after the
            other. Defaults to `1`.
    """

    arguments: dict
    is_whole: bool = False
    copies: int = 1


class Parallel:
    """How one model is trained on several devices; `data_parallel` makes it.

    It is a context: build, compile and train the model in it. `fit`,
    `evaluate` and `predict` of the library's models look for it themselves.

    Args:
        num_replicas: Integer, how many devices, or groups of devices, share
            the samples of a batch.
        process_index: Integer, which process this is. Defaults to `0`.
        process_count: Integer, how many processes there are. Defaults to `1`.

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
        """The backend's context in which variables are made."""
        return contextlib.nullcontext()

    def __enter__(self) -> "Parallel":
        self._entered = self.scope()
        self._entered.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._entered.__exit__(*error)

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.process_index == 0

    def agree(self, value: Any) -> Any:
        """The value that process 0 passes, in every process.

        Args:
            value: Anything that JSON can hold.
        """
        return value

    def numbers(self, value: int) -> list[int]:
        """The integers that the processes pass, in their order.

        Args:
            value: Integer.
        """
        return [value]

    def on_main(self, function: Callable[[], Any]) -> Any:
        """What a function returns in process 0, in every process.

        Args:
            function: Function without arguments, called in process 0 only,
                whose result JSON can hold.

        Raises:
            ConnectionError: In the other processes, if it fails.
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
        """Lets this process compute by itself within the context."""
        yield

    def check(self, model: keras.Model) -> None:
        """Requires a compiled model to be one that replicas train alike."""

    @contextlib.contextmanager
    def training(self, model: keras.Model) -> Iterator[None]:
        """Keeps the replicas of a model in step within the context."""
        yield

    @contextlib.contextmanager
    def evaluating(self, part: Part) -> Iterator[None]:
        """Lets `evaluate` or `predict` see a part of the data."""
        yield

    def own_batches(self, pairs: MixedPairDataset) -> MixedPairDataset:
        """What this process is to read of the batches of mixed pairs."""
        self._require_divided(pairs)
        return pairs

    def require_data(self, x: Any) -> None:
        """Requires data that are no mixed pairs to be fit for `fit`."""

    def parts(
        self,
        model: keras.Model,
        x: Any,
        y: Any,
        sample_weight: Any,
        batch_size: int | None,
    ) -> list[Part]:
        """What `evaluate` has to pass over, one after the other.

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
        """What `predict` has to pass over, in the order of the images.

        Args:
            model: Model.
            x: Images, or a data set of them.
            batch_size: Integer, or `None`.
            steps: Integer, how many batches to take, or `None` for all.
        """
        return [Part(arguments(x, batch_size=batch_size), is_whole=True)]

    def summed(self, model: keras.Model, variables: list) -> list | None:
        """Sums of metrics over processes that do not share them, or `None`.

        Args:
            model: Model.
            variables: List of variables of metrics.
        """

    def _require_divided(self, pairs):
        batches = {pairs.batch_size, pairs.last_batch_size}
        uneven = sorted(size for size in batches if size % self.num_replicas)
        require(
            not uneven,
            f"`batch_size` must be divided by {self.num_replicas}, the number of "
            "devices, and so must the last batch, which `drop_remainder=True` leaves "
            "out.",
            batch_size=pairs.batch_size,
            last_batch=pairs.last_batch_size,
        )


def arguments(x, y=None, sample_weight=None, batch_size=None) -> dict:
    """Those that are given, as `evaluate` takes them."""
    given = {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}
    return {key: value for key, value in given.items() if value is not None}


def rows_of(x) -> int | None:
    """How many rows data have that can be sliced, else `None`."""
    if isinstance(x, np.ndarray):
        return len(x)
    if isinstance(x, dict) and all(isinstance(v, np.ndarray) for v in x.values()):
        return len(next(iter(x.values())))
    return len(x.labels) if isinstance(x, ImageBatches) else None


def rows_between(x, y, sample_weight, batch_size: int, start: int, stop: int) -> dict:
    """Rows `start` to `stop`, as arguments of `evaluate`."""
    if isinstance(x, ImageBatches):
        return {"x": x.rows(start, stop, batch_size)}
    part = slice(start, stop)
    x = {key: v[part] for key, v in x.items()} if isinstance(x, dict) else x[part]
    y, sample_weight = (v if v is None else v[part] for v in (y, sample_weight))
    return arguments(x, y, sample_weight, batch_size)


def size_of_batches(x, batch_size: int | None) -> int:
    """The batch size that Keras would use."""
    return x.batch_size if isinstance(x, ImageBatches) else batch_size or 32
