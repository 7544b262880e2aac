"""The devices on which a run trains."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_mixvit.distribution import Parallel

# torchrun, `launch` and `keras.distribution.initialize` use these.
OF_PROCESSES = ("WORLD_SIZE", "KERAS_DISTRIBUTION_NUM_PROCESSES")


def devices_in_use(devices: int | None, timeout: float) -> "Parallel":
    """The `Parallel` of a training.

    Args:
        devices: Integer, the number of devices that share each batch, or `None` for one
            device, or for those of all processes that were started together.
        timeout: Seconds to wait for another process.
    """
    # The command uses the functions below before it imports Keras.
    from keras_mixvit.distribution import Parallel, data_parallel

    if devices is None and not is_one_of_several():
        return Parallel(num_replicas=1)
    return data_parallel(devices, timeout)


def is_one_of_several() -> bool:
    """Whether this process is one of several that were started together."""
    return any(int(os.environ.get(name, 1)) > 1 for name in OF_PROCESSES)


def is_quiet() -> bool:
    """Whether another process prints, so this one must not."""
    names = ("RANK", "KERAS_DISTRIBUTION_PROCESS_ID")
    return is_one_of_several() and any(int(os.environ.get(n, 0)) for n in names)
