"""How many steps and images one call to the device processes."""

import math

import keras

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset

# Few enough to move the progress bar and to react to Ctrl-C.
MOST_STEPS = 100
# The memory of the device that the batches of a call may use.
MOST_BYTES = 256 * 1024**2


def steps_of_a_call(pairs: MixedPairDataset) -> int:
    """The default number of training steps per call to the device.

    On JAX with an accelerator, a call takes about as long as a step. So a call runs
    several steps there: a number that divides the epoch into equal parts, is at most
    100, and whose batches fit into 256 MiB.

    Args:
        pairs: `MixedPairDataset`.
    """
    if keras.config.backend() != "jax":
        return 1
    import jax

    if jax.default_backend() == "cpu":
        return 1
    # Floats of all images; for images that stay on the device, bytes of noise.
    size = 1 if pairs.keeps_on_device else 4
    members = pairs.masks_shape[0]
    batch = size * pairs.batch_size * members * math.prod(pairs.image_shape)
    most = max(1, min(MOST_STEPS, MOST_BYTES // batch))
    return max(n for n in range(1, most + 1) if len(pairs) % n == 0)


def even_batch_size(images: int, batch_size: int) -> int:
    """A batch size for validation with which the last batch is full.

    A batch of another size would be compiled again.

    Args:
        images: Integer, the number of images.
        batch_size: Integer, the largest size.

    Returns:
        The largest divisor of `images` between half of `batch_size` and `batch_size`,
        or `batch_size` if there is none.
    """
    sizes = range(min(batch_size, images), (batch_size - 1) // 2, -1)
    return next((size for size in sizes if images % size == 0), batch_size)


def require_steps(steps_per_execution: int | None) -> None:
    """Requires a number of steps that the backend can run in one call.

    Args:
        steps_per_execution: Integer, or `None`.

    Raises:
        ValueError: If it is not a positive integer, or not 1 on PyTorch.
    """
    if steps_per_execution is None:
        return
    require_positive_integer("steps_per_execution", steps_per_execution)
    require(
        steps_per_execution == 1 or keras.config.backend() != "torch",
        "`steps_per_execution` must be 1 or None on PyTorch, where Keras runs one "
        "step at a time.",
        steps_per_execution=steps_per_execution,
    )
