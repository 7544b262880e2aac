import keras
import numpy as np
import pytest

from keras_mixvit.schedules import WarmupStepDecay


def rates(steps, **changes):
    """Rates of a schedule of 1,500 steps, ten per epoch of the paper."""
    schedule = WarmupStepDecay(**{"learning_rate": 2e-3, "total_steps": 1500} | changes)
    return [float(schedule(step)) for step in steps]


def test_the_rate_rises_linearly_over_the_first_tenth():
    steps = [0, 1, 74, 149]
    expected = [2e-3 * (step + 1) / 150 for step in steps]
    np.testing.assert_allclose(rates(steps), expected, rtol=1e-5)


def test_the_rate_falls_to_a_tenth_at_epochs_125_and_140_of_150():
    found = rates([150, 700, 1249, 1250, 1399, 1400, 1499])
    expected = [2e-3, 2e-3, 2e-3, 2e-4, 2e-4, 2e-5, 2e-5]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_warm_up_falls_and_factor_can_be_chosen():
    found = rates([0, 749, 750, 1499], warmup=0.0, decay_at=[0.5], decay_rate=0.5)
    np.testing.assert_allclose(found, [2e-3, 2e-3, 1e-3, 1e-3], rtol=1e-5)


def test_the_schedule_takes_tensors_of_steps():
    schedule = WarmupStepDecay(1e-3, 100)
    step = keras.ops.convert_to_tensor(50, "int64")
    assert float(schedule(step)) == pytest.approx(1e-3)


def test_the_schedule_survives_its_config_in_an_optimizer():
    schedule = WarmupStepDecay(1e-3, 100, 0.2, (0.5, 0.6), 0.3)
    optimizer = keras.optimizers.AdamW(schedule)
    config = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(config)._learning_rate
    assert isinstance(again, WarmupStepDecay)
    assert again.get_config() == schedule.get_config()
    for step in (0, 49, 50, 60):
        assert float(again(step)) == float(schedule(step))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"learning_rate": 0},
            r"`learning_rate` must be a positive finite number\. "
            r"Received: learning_rate=0",
        ),
        (
            {"total_steps": 0},
            r"`total_steps` must be an integer of at least 1\. "
            r"Received: total_steps=0",
        ),
        ({"warmup": 1}, r"`warmup` must be in \[0, 1\)\. Received: warmup=1"),
        (
            {"decay_rate": 0},
            r"`decay_rate` must be a positive finite number\. Received: decay_rate=0",
        ),
    ],
)
def test_wrong_schedules_are_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        rates([], **changes)
