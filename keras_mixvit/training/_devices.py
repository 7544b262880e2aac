"""On what devices the command trains."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_mixvit.distribution import Parallel

# Set by torchrun and `launch`, and for `keras.distribution.initialize`.
OF_PROCESSES = ("WORLD_SIZE", "KERAS_DISTRIBUTION_NUM_PROCESSES")


def devices_in_use(devices: int | None, timeout: float) -> "Parallel":
    """The context of a training.

    Args:
        devices: Integer, how many devices share each batch, or `None` for
            one, or for all of the processes that were started together.
        timeout: Seconds to wait for another process.
    """
    # The command asks below whether it prints, before Keras is imported.
    from keras_mixvit.distribution import Parallel, data_parallel

    if devices is None and not is_one_of_several():
        return Parallel(num_replicas=1)
    return data_parallel(devices, timeout)


def is_one_of_several() -> bool:
    """Whether this process was started together with others."""
    return any(int(os.environ.get(name, 1)) > 1 for name in OF_PROCESSES)


def is_quiet() -> bool:
    """Whether another process prints."""
    names = ("RANK", "KERAS_DISTRIBUTION_PROCESS_ID")
    return is_one_of_several() and any(int(os.environ.get(n, 0)) for n in names)
