"""Where the processes of a study run: on an accelerator each, or on some cores."""

import contextlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Threads of NumPy, PyTorch, TensorFlow and numexpr.
THREADS = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NUMEXPR_NUM_THREADS"),
)
# Variables that select the visible accelerators: NVIDIA's, AMD's, TPUs.
VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "TPU_VISIBLE_CHIPS")
# For processes that share an accelerator: JAX and TensorFlow would reserve all memory.
SHARING = {
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}


@dataclass(frozen=True)
class Slot:
    """A place where one process at a time runs.

    Args:
        environment: Dict of variables that the process gets.
        cores: Tuple of integers, the cores that it may use, or `None` for all.
            Defaults to `None`.
    """

    environment: dict[str, str]
    cores: tuple[int, ...] | None = None

    def start(
        self, command: list[str], log: Path, kept: tuple[int, ...] = ()
    ) -> subprocess.Popen:
        """Starts a process and appends its output to a file.

        Args:
            command: List of strings.
            log: Path of the file.
            kept: Tuple of descriptors that stay open in the process. Defaults to
                `()`.
        """
        with log.open("ab") as file:
            process = subprocess.Popen(
                command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                pass_fds=kept,
            )
        if self.cores is not None:
            # The process has only one thread yet, or has ended.
            with contextlib.suppress(OSError):
                os.sched_setaffinity(process.pid, self.cores)
        return process


def make_slots(
    jobs: int | None, accelerators: int, given: Mapping[str, str]
) -> list[Slot]:
    """The slots in which the processes of a study run at the same time.

    Args:
        jobs: Integer, the number of slots, or `None` for one on each accelerator, or
            one on the processor.
        accelerators: Integer, the number of accelerators.
        given: The variables of this process. They stay, except those that select
            accelerators.
    """
    count = max(1, accelerators) if jobs is None else jobs
    if accelerators == 0:
        return _on_cores(count, given)
    sharing = SHARING if count > accelerators else {}
    sharing = {name: value for name, value in sharing.items() if name not in given}
    if accelerators == 1:
        return [Slot(dict(sharing)) for _ in range(count)]
    return [Slot({**sharing, **_seen(i % accelerators, given)}) for i in range(count)]


def _seen(place, given):
    """Variables that make a process see only one accelerator."""
    found = {}
    for name in VISIBLE:
        listed = [word for word in given.get(name, "").split(",") if word.strip()]
        found[name] = listed[place] if place < len(listed) else str(place)
    # To a process on one chip, the chip is a whole TPU system.
    return {
        **found,
        "TPU_PROCESS_BOUNDS": "1,1,1",
        "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1",
    }


def _on_cores(count, given):
    if count == 1:
        return [Slot({})]
    can_pin = hasattr(os, "sched_setaffinity")
    cores = (
        sorted(os.sched_getaffinity(0)) if can_pin else [*range(os.cpu_count() or 1)]
    )
    slots = []
    for i in range(count):
        # With more processes than cores, several processes share a core.
        own = cores[i::count] or [cores[i % len(cores)]]
        threads = dict.fromkeys(THREADS, str(len(own)))
        threads = {name: value for name, value in threads.items() if name not in given}
        slots.append(Slot(threads, tuple(own) if can_pin else None))
    return slots
