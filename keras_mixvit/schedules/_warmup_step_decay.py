from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import is_number, require, require_positive_integer
from keras_mixvit._types import Tensor


@keras.saving.register_keras_serializable(package="keras_mixvit")
class WarmupStepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """The MixViT paper's schedule: a linear warm-up, then steps of a tenth.

    The rate rises linearly during the first tenth of the training. It drops to a tenth
    after 5/6 and again after 14/15 of the training: epochs 125 and 140 of 150.

    Args:
        learning_rate: Positive float, the rate after the warm-up.
        total_steps: Integer, the number of training steps.
        warmup: Float in [0, 1), the share of all steps for the warm-up. Defaults to
            `0.1`.
        decay_at: Tuple of floats in (0, 1], the shares of the training after which the
            rate drops. Defaults to `(0.8333333333333334, 0.9333333333333333)`.
        decay_rate: Positive float, the factor of each drop. Defaults to `0.1`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    schedule = WarmupStepDecay(1e-3, total_steps=150)
    assert abs(float(schedule(100)) - 1e-3) < 1e-9
    assert abs(float(schedule(130)) - 1e-4) < 1e-9
    ```

    References:
        MixViT, Appendix H (training details).
    """

    def __init__(
        self,
        learning_rate: float,
        total_steps: int,
        warmup: float = 0.1,
        decay_at: tuple[float, ...] = (5 / 6, 14 / 15),
        decay_rate: float = 0.1,
    ):
        super().__init__()
        require(
            is_number(learning_rate) and 0 < learning_rate < float("inf"),
            "`learning_rate` must be a positive finite number.",
            learning_rate=learning_rate,
        )
        require_positive_integer("total_steps", total_steps)
        require(
            is_number(warmup) and 0 <= warmup < 1,
            "`warmup` must be in [0, 1).",
            warmup=warmup,
        )
        require(
            isinstance(decay_at, (tuple, list))
            and all(is_number(share) and 0 < share <= 1 for share in decay_at),
            "`decay_at` must be shares in (0, 1].",
            decay_at=decay_at,
        )
        require(
            is_number(decay_rate) and 0 < decay_rate < float("inf"),
            "`decay_rate` must be a positive finite number.",
            decay_rate=decay_rate,
        )
        self.learning_rate = learning_rate
        self.total_steps = total_steps
        self.warmup = warmup
        self.decay_at = tuple(decay_at)
        self.decay_rate = decay_rate

    def __call__(self, step: Tensor) -> Tensor:
        step = ops.cast(step, "float32")
        warmup_steps = max(1.0, self.warmup * self.total_steps)
        # Steps count from 0, and the first step must already learn.
        factor = ops.minimum((step + 1) / warmup_steps, 1.0)
        for share in self.decay_at:
            passed = step >= round(share * self.total_steps)
            factor = ops.where(passed, factor * self.decay_rate, factor)
        return self.learning_rate * factor

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "total_steps": self.total_steps,
            "warmup": self.warmup,
            "decay_at": self.decay_at,
            "decay_rate": self.decay_rate,
        }
