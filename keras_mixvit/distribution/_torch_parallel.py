import contextlib
import datetime
import json
import os

import torch
from torch import distributed

from keras_mixvit import _replicas
from keras_mixvit._checks import require
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.distribution._checks import (
    require_own_layers,
    require_unmixed_features,
)
from keras_mixvit.distribution._gradient_buckets import GradientBuckets
from keras_mixvit.distribution._parallel import (
    Parallel,
    Part,
    arguments,
    cut,
    rows_of,
    size_of_batches,
)
from keras_mixvit.distribution._torch_peers import answered_within

_joined = []


def joined() -> "TorchParallel | None":
    """The processes that this one trains with, or `None`."""
    return _joined[-1] if _joined else None


class TorchParallel(Parallel):
    """`torch.distributed` on PyTorch, one process per device.

    Args:
        timeout: Seconds to wait for another process.
    """

    def __init__(self, timeout: float):
        super().__init__(
            int(os.environ.get("WORLD_SIZE", 1)),
            int(os.environ.get("RANK", 0)),
            int(os.environ.get("WORLD_SIZE", 1)),
        )
        self.timeout = timeout

    def __enter__(self):
        if self.process_count == 1:
            return self
        on_gpu = torch.cuda.is_available()
        if on_gpu:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        self._owns_group = not distributed.is_initialized()
        limit = datetime.timedelta(seconds=self.timeout)
        if self._owns_group:
            with _came_together(self):
                # What is no tensor of the model is exchanged by the processors.
                engine = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
                distributed.init_process_group(engine, timeout=limit)
        # Gradients overlap with what batch norms exchange: each in its order.
        self.gradient_group = distributed.new_group(timeout=limit)
        self._join()
        return self

    def __exit__(self, *error):
        if self.process_count == 1:
            return
        self._leave()
        if self._owns_group:
            distributed.destroy_process_group()

    def numbers(self, value):
        if self.process_count == 1:
            return [value]
        found = [torch.tensor([0]) for _ in range(self.process_count)]
        with self._answered():
            distributed.all_gather(found, torch.tensor([value]))
        return [int(number) for number in found]

    @contextlib.contextmanager
    def alone(self):
        if self.process_count == 1:
            yield
            return
        self._leave()
        try:
            yield
        finally:
            self._join()

    def _join(self):
        _joined.append(self)
        _replicas.PROCESSES.index = self.process_index
        _replicas.PROCESSES.count = self.process_count
        _replicas.PROCESSES.answered = self._answered

    def _leave(self):
        _joined.remove(self)
        _replicas.PROCESSES.index, _replicas.PROCESSES.count = 0, 1
        _replicas.PROCESSES.answered = contextlib.nullcontext

    def _answered(self):
        return answered_within(self.timeout)

    def agree(self, value):
        if self.process_count == 1:
            return value
        text = torch.frombuffer(
            bytearray(json.dumps(value).encode()), dtype=torch.uint8
        )
        length = torch.tensor([len(text)])
        with self._answered():
            distributed.broadcast(length, 0)
            room = text if self.is_main else torch.zeros(int(length), dtype=torch.uint8)
            distributed.broadcast(room, 0)
        return json.loads(bytes(room.tolist()))

    def check(self, model):
        require_own_layers(model)
        require(
            model.jit_compile is not True,
            "`jit_compile` must be 'auto' or False where processes exchange gradients.",
            jit_compile=model.jit_compile,
        )

    @contextlib.contextmanager
    def training(self, model):
        model.optimizer.build(model.trainable_variables)
        self._share_values([*model.variables, *model.optimizer.variables])
        if keras_averages(model):
            yield
            return
        parameters = [variable.value for variable in model.trainable_variables]
        buckets = GradientBuckets(parameters, self.gradient_group, self.timeout)
        try:
            yield
        finally:
            buckets.remove()

    def own_batches(self, pairs):
        self._require_divided(pairs)
        require_unmixed_features(pairs)
        if pairs.part is not None:
            return pairs
        return pairs.shard(self.process_index, self.process_count)

    def require_data(self, x):
        require(
            rows_of(x) is None,
            "`x` must be a `mixed_pair_dataset`, or a data set that gives this process "
            "its part of each batch, where there are several processes.",
            x=type(x).__name__,
        )

    def parts(self, model, x, y, sample_weight, batch_size):
        if isinstance(x, MixedPairDataset):
            return [Part({"x": self.own_batches(x)})]
        rows = rows_of(x)
        # Keras's own sums are made in every step, of which there must be as
        # many everywhere.
        if rows is None or rows < self.process_count or keras_averages(model):
            return [Part(arguments(x, y, sample_weight, batch_size), is_whole=True)]
        start = self.process_index * rows // self.process_count
        stop = (self.process_index + 1) * rows // self.process_count
        size = size_of_batches(x, batch_size)
        return [Part(cut(x, y, sample_weight, size, start, stop))]

    def summed(self, model, variables):
        if keras_averages(model):
            return None
        values = [variable.value.detach() for variable in variables]
        total = torch.cat([value.reshape(-1).to(torch.float64) for value in values])
        with self._answered():
            distributed.all_reduce(total)
        found = total.split([value.numel() for value in values])
        return [
            new.reshape(value.shape).to(value.dtype)
            for new, value in zip(found, values, strict=True)
        ]

    def _share_values(self, variables):
        """Gives every process the values of process 0, in one exchange."""
        shapes = [[v.path, list(v.shape), str(v.dtype)] for v in variables]
        require(
            self.agree(shapes) == shapes,
            "`model` must be the same in every process.",
            process=self.process_index,
        )
        values = [v.value.detach() for v in variables]
        with torch.no_grad(), self._answered():
            for dtype in dict.fromkeys(value.dtype for value in values):
                same = [value for value in values if value.dtype == dtype]
                flat = torch.cat([value.reshape(-1) for value in same])
                distributed.broadcast(flat, 0)
                sizes = [value.numel() for value in same]
                for value, new in zip(same, flat.split(sizes), strict=True):
                    value.copy_(new.reshape(value.shape))


def keras_averages(model) -> bool:
    """Whether the installed Keras averages gradients of processes itself."""
    return hasattr(model, "ddp_model")


@contextlib.contextmanager
def _came_together(parallel):
    address = ":".join(
        os.environ.get(key, "") for key in ("MASTER_ADDR", "MASTER_PORT")
    )
    try:
        yield
    except distributed.DistNetworkError as error:
        if "EADDRINUSE" in str(error) or "in use" in str(error):
            raise ConnectionError(
                f"Port {address.rpartition(':')[2]} is already in use: set "
                "MASTER_PORT, or --master-port of torchrun, to another one."
            ) from error
        raise ConnectionError(_absent(parallel, address)) from error
    except (distributed.DistStoreError, RuntimeError) as error:
        raise ConnectionError(_absent(parallel, address)) from error


def _absent(parallel, address):
    return (
        f"Not all of the {parallel.process_count} processes came together at {address} "
        f"within {parallel.timeout:g} seconds: look for one that did not start, or was "
        "told another number of processes."
    )
