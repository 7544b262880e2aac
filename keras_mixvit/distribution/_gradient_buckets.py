import torch
from torch import distributed

from keras_mixvit.distribution._torch_peers import answered_within

BUCKET_BYTES = 25 * 2**20


class GradientBuckets:
    """Averages gradients over processes while they are computed.

    Parameters are put into buckets in the reverse of their order, in which
    their gradients come. A bucket that is full is sent while the backward
    pass goes on; buckets are sent in one order everywhere, and the pass ends
    when all have come back.

    Args:
        parameters: List of PyTorch parameters.
        group: Process group.
        timeout: Seconds that an exchange may take, for the error.
        bucket_bytes: Integer, size of a bucket. Defaults to `26214400`.

    References:
        Li et al., PyTorch Distributed, VLDB 2020, Section 3.2.
    """

    def __init__(
        self,
        parameters: list,
        group,
        timeout: float,
        bucket_bytes: int = BUCKET_BYTES,
    ):
        self.group, self.timeout = group, timeout
        self.count = distributed.get_world_size(group)
        self.buckets = _buckets(parameters, bucket_bytes)
        self._bucket_of = {
            id(parameter): place
            for place, bucket in enumerate(self.buckets)
            for parameter in bucket
        }
        self._begin()
        self._handles = [
            parameter.register_post_accumulate_grad_hook(self._came)
            for bucket in self.buckets
            for parameter in bucket
        ]

    def remove(self) -> None:
        """Takes the hooks away."""
        for handle in self._handles:
            handle.remove()

    def _begin(self):
        self._missing = [len(bucket) for bucket in self.buckets]
        self._sent = []
        self._is_in_pass = False

    def _came(self, parameter):
        if not self._is_in_pass:
            self._is_in_pass = True
            # Also where some parameters are given no gradient.
            torch.autograd.Variable._execution_engine.queue_callback(self._finish)
        self._missing[self._bucket_of[id(parameter)]] -= 1
        while (
            len(self._sent) < len(self.buckets) and not self._missing[len(self._sent)]
        ):
            self._send()

    def _send(self):
        bucket = self.buckets[len(self._sent)]
        flat = torch.cat(
            [
                (torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1)
                for p in bucket
            ]
        )
        with answered_within(self.timeout):
            work = distributed.all_reduce(flat, group=self.group, async_op=True)
        self._sent.append((flat, work))

    def _finish(self):
        while len(self._sent) < len(self.buckets):
            self._send()
        sent = self._sent
        self._begin()
        for bucket, (flat, work) in zip(self.buckets, sent, strict=True):
            with answered_within(self.timeout):
                work.wait()
            flat /= self.count
            parts = flat.split([parameter.numel() for parameter in bucket])
            for parameter, part in zip(bucket, parts, strict=True):
                if parameter.grad is not None:
                    parameter.grad.copy_(part.view_as(parameter))


def _buckets(parameters, bucket_bytes):
    """Parameters in lists of at most so many bytes, the last ones first."""
    found, room = [], 0
    for parameter in reversed(parameters):
        size = parameter.numel() * parameter.element_size()
        if not found or size > room or found[-1][0].dtype != parameter.dtype:
            found.append([])
            room = bucket_bytes
        found[-1].append(parameter)
        room -= size
    return found
