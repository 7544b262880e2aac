import contextlib
import datetime
import json
import os

import torch
from torch import distributed
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from keras_mixvit import _replicas
from keras_mixvit._checks import require
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset
from keras_mixvit.distribution._parallel import (
    Parallel,
    Part,
    arguments,
    rows_between,
    rows_of,
    size_of_batches,
)
from keras_mixvit.distribution._peers import peer_errors
from keras_mixvit.distribution._replica_checks import (
    require_own_layers,
    require_unmixed_features,
)

# DDP's default is 25, a whole small network: smaller buckets overlap more.
BUCKET_MEGABYTES = 4


class TorchParallel(Parallel):
    """`Parallel` on PyTorch, with `torch.distributed` and one process per device.

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
                # The processors exchange values that are not tensors of the model.
                engine = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
                distributed.init_process_group(engine, timeout=limit)
        # Exchanges of gradients and batch norms overlap, each in its own order.
        self.gradient_group = distributed.new_group(timeout=limit)
        _replicas.join(self)
        return self

    def __exit__(self, *error):
        if self.process_count == 1:
            return
        _replicas.leave(self)
        if self._owns_group:
            distributed.destroy_process_group()

    def numbers(self, value):
        if self.process_count == 1:
            return [value]
        found = [torch.tensor([0]) for _ in range(self.process_count)]
        with self.peer_errors():
            distributed.all_gather(found, torch.tensor([value]))
        return [int(number) for number in found]

    @contextlib.contextmanager
    def alone(self):
        if self.process_count == 1:
            yield
            return
        _replicas.leave(self)
        try:
            yield
        finally:
            _replicas.join(self)

    def peer_errors(self):
        """A context for exchanges, with an error if another process fails."""
        errors = (distributed.DistError, RuntimeError)
        return peer_errors(errors, f"within {self.timeout:g} seconds")

    def agree(self, value):
        if self.process_count == 1:
            return value
        text = torch.frombuffer(
            bytearray(json.dumps(value).encode()), dtype=torch.uint8
        )
        length = torch.tensor([len(text)])
        with self.peer_errors():
            distributed.broadcast(length, 0)
            room = text if self.is_main else torch.zeros(int(length), dtype=torch.uint8)
            distributed.broadcast(room, 0)
        return json.loads(bytes(room.tolist()))

    def check(self, model):
        require_own_layers(model)
        require(
            model.jit_compile is not True,
            "`jit_compile` must be 'auto' or False if processes exchange gradients.",
            jit_compile=model.jit_compile,
        )

    @contextlib.contextmanager
    def training(self, model):
        model.optimizer.build(model.trainable_variables)
        self._share_values([*model.variables, *model.optimizer.variables])
        if keras_averages(model):
            yield
            return
        with averaged_gradients(self, model):
            yield

    def own_batches(self, pairs):
        self._require_divided(pairs)
        require_unmixed_features(pairs)
        if pairs.part is not None:
            return pairs
        return pairs.shard(self.process_index, self.process_count)

    def require_data(self, x):
        require(
            rows_of(x) is None,
            "`x` must be a `mixed_pair_dataset`, or a data set that yields only this "
            "process's part of each batch, if there are several processes.",
            x=type(x).__name__,
        )

    def parts(self, model, x, y, sample_weight, batch_size):
        if isinstance(x, MixedPairDataset):
            return [Part({"x": self.own_batches(x)})]
        rows = rows_of(x)
        # Keras sums in every step, so all processes need the same number of steps.
        if rows is None or rows < self.process_count or keras_averages(model):
            return [Part(arguments(x, y, sample_weight, batch_size), is_whole=True)]
        start = self.process_index * rows // self.process_count
        stop = (self.process_index + 1) * rows // self.process_count
        size = size_of_batches(x, batch_size)
        return [Part(rows_between(x, y, sample_weight, size, start, stop))]

    def summed(self, model, variables):
        if keras_averages(model):
            return None
        values = [variable.value.detach() for variable in variables]
        total = torch.cat([value.reshape(-1).to(torch.float64) for value in values])
        with self.peer_errors():
            distributed.all_reduce(total)
        found = total.split([value.numel() for value in values])
        return [
            new.reshape(value.shape).to(value.dtype)
            for new, value in zip(found, values, strict=True)
        ]

    def _share_values(self, variables):
        """Copies the values of process 0 to every process, in one exchange."""
        shapes = [[v.path, list(v.shape), str(v.dtype)] for v in variables]
        require(
            self.agree(shapes) == shapes,
            "`model` must be the same in every process.",
            process=self.process_index,
        )
        values = [v.value.detach() for v in variables]
        with torch.no_grad(), self.peer_errors():
            for dtype in dict.fromkeys(value.dtype for value in values):
                same = [value for value in values if value.dtype == dtype]
                flat = torch.cat([value.reshape(-1) for value in same])
                distributed.broadcast(flat, 0)
                sizes = [value.numel() for value in same]
                for value, new in zip(same, flat.split(sizes), strict=True):
                    value.copy_(new.reshape(value.shape))


class _Watched(torch.nn.Module):
    """A module with the parameters of a model, but without its computation.

    Args:
        parameters: List of PyTorch parameters.
    """

    def __init__(self, parameters: list):
        super().__init__()
        self.watched = torch.nn.ParameterList(parameters)

    def forward(self, loss):
        return loss


@contextlib.contextmanager
def averaged_gradients(parallel: TorchParallel, model):
    """Averages the gradients of processes during the backward pass.

    PyTorch's `DistributedDataParallel` (DDP) watches the parameters. It starts at the
    loss, which a model can change in Keras's training step; Keras calls the model
    itself, as on one device. The graph of the loss is the same in every step, so DDP
    looks for parameters without a gradient only once.

    Args:
        parallel: `TorchParallel`.
        model: Compiled model.
    """
    parameters = [variable.value for variable in model.trainable_variables]
    watching = DistributedDataParallel(
        _Watched(parameters),
        process_group=parallel.gradient_group,
        init_sync=False,
        static_graph=True,
        bucket_cap_mb=BUCKET_MEGABYTES,
    )
    sent = {}

    def exchange(group, bucket):
        with parallel.peer_errors():
            sent[bucket.index()] = future = allreduce_hook(group, bucket)
        return future

    watching.register_comm_hook(parallel.gradient_group, exchange)
    compute_loss = model.compute_loss
    model.compute_loss = lambda *args, **options: watching(
        compute_loss(*args, **options)
    )
    try:
        yield
    except RuntimeError:
        # Is this an error of an exchange, or of another part of the step?
        with parallel.peer_errors():
            for future in sent.values():
                if future.done():
                    future.value()
        raise
    finally:
        del model.compute_loss


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
        "given another number of processes."
    )
