"""The options of a prediction, checked before Keras is imported."""

from keras_mixvit._checks import (
    is_number,
    require,
    require_positive_integer,
    require_temperature,
)

# Above, Pillow warns of what may be a decompression bomb: a quarter of a GB in RGB.
MAX_PIXELS = 89_478_485


def require_options(
    top: int,
    sets: float | None,
    temperature: float | None,
    batch_size: int,
    workers: int,
    max_pixels: int,
) -> None:
    """Requires the options of `predict` to be in their ranges."""
    require_positive_integer("top", top)
    require_positive_integer("batch_size", batch_size)
    require_positive_integer("workers", workers, minimum=0)
    require_positive_integer("max_pixels", max_pixels)
    if sets is not None:
        require(
            is_number(sets) and 0 < sets < 1,
            "`sets` must be a rate in (0, 1), at which sets may miss the true class.",
            sets=sets,
        )
    if temperature is not None:
        require_temperature(temperature)
