"""The options of a prediction, checked before Keras is imported."""

from dataclasses import dataclass

from keras_mixvit._checks import (
    is_number,
    require,
    require_positive_integer,
    require_temperature,
)

# Above this size, Pillow warns of a decompression bomb: a quarter of a GB in RGB.
MAX_PIXELS = 89_478_485


@dataclass(frozen=True)
class Options:
    """The options that `predict` and the command share; `predict` explains them.

    Raises:
        ValueError: If one is out of its range.
    """

    top: int = 3
    sets: float | None = None
    temperature: float | None = None
    batch_size: int = 64
    workers: int = 1
    max_pixels: int = MAX_PIXELS

    def __post_init__(self):
        require_positive_integer("top", self.top)
        require_positive_integer("batch_size", self.batch_size)
        require_positive_integer("workers", self.workers, minimum=0)
        require_positive_integer("max_pixels", self.max_pixels)
        if self.sets is not None:
            require(
                is_number(self.sets) and 0 < self.sets < 1,
                "`sets` must be a rate in (0, 1), at which sets may miss the true "
                "class.",
                sets=self.sets,
            )
        if self.temperature is not None:
            require_temperature(self.temperature)
