"""How work is cut into calls to the device."""

import math

import keras

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset

# Few enough for a progress bar to move and for Ctrl-C to be heard.
MOST_STEPS = 100
# What the batches of a call may take in the memory of the device.
MOST_BYTES = 256 * 1024**2


def steps_of_a_call(pairs: MixedPairDataset) -> int:
    """How many training steps one call runs, if you do not say.

    On JAX, a call with an accelerator costs about as much as a step. There, a
    call runs as many steps as divide an epoch into equal parts, at most 100 and
    at most as many as fit into 256 MiB.

    Args:
        pairs: `MixedPairDataset`.
    """
    if keras.config.backend() != "jax":
        return 1
    import jax

    if jax.default_backend() == "cpu":
        return 1
    # Floats of all images; of images that stay on the device, bytes of noise.
    size = 1 if pairs.keeps_on_device else 4
    members = pairs.masks_shape[0]
    batch = size * pairs.batch_size * members * math.prod(pairs.image_shape)
    most = max(1, min(MOST_STEPS, MOST_BYTES // batch))
    return max(n for n in range(1, most + 1) if len(pairs) % n == 0)


def even_batch_size(images: int, batch_size: int) -> int:
    """A batch size of validation for which the last batch is as large as others.

    A batch of another size is compiled once more.

    Args:
        images: Integer, how many images there are.
        batch_size: Integer, the size not to exceed.

    Returns:
        The largest divisor of `images` from half of `batch_size` on, or
        `batch_size` if there is none.
    """
    sizes = range(min(batch_size, images), (batch_size - 1) // 2, -1)
    return next((size for size in sizes if images % size == 0), batch_size)


def require_steps(steps_per_execution: int | None) -> None:
    """Requires a number of steps that the backend can run in one call.

    Args:
        steps_per_execution: Integer, or `None`.

    Raises:
        ValueError: If it is no positive integer, or not 1 on PyTorch.
    """
    if steps_per_execution is None:
        return
    require_positive_integer("steps_per_execution", steps_per_execution)
    require(
        steps_per_execution == 1 or keras.config.backend() != "torch",
        "`steps_per_execution` must be 1 or None on PyTorch, where Keras runs one step "
        "after the other.",
        steps_per_execution=steps_per_execution,
    )
