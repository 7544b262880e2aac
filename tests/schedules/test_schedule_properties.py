"""The schedule of the learning rate, for any length, warm-up and steps."""

import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit.schedules import WarmupStepDecay
from tests.helpers import numpy
from tests.properties import holds

SHARES = st.lists(st.floats(0.01, 1), max_size=4)


@holds(
    few=20,
    many=1000,
    rate=st.floats(1e-6, 10),
    total=st.integers(1, 5000),
    warmup=st.floats(0, 1, exclude_max=True),
    decay_at=SHARES,
    decay_rate=st.floats(0.01, 1),
)
def test_the_rate_is_the_formula(rate, total, warmup, decay_at, decay_rate):
    schedule = WarmupStepDecay(rate, total, warmup, tuple(decay_at), decay_rate)
    # One shape: JAX compiles each operation for each of them.
    steps = np.linspace(0, total, 16).astype(int)
    length = max(1.0, warmup * total)
    expected = [
        rate
        * min(1.0, (step + 1) / length)
        * decay_rate ** sum(step >= round(share * total) for share in decay_at)
        for step in steps.tolist()
    ]
    found = numpy(schedule(steps))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert (found > 0).all()
    again = WarmupStepDecay.from_config(schedule.get_config())
    assert again.get_config() == schedule.get_config()
    np.testing.assert_array_equal(numpy(again(steps)), found)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
@pytest.mark.parametrize("name", ["learning_rate", "decay_rate", "warmup", "decay_at"])
def test_what_is_no_number_of_a_schedule_is_refused(name, value):
    good = {"learning_rate": 0.1, "total_steps": 10}
    given = (value,) if name == "decay_at" else value
    if (name, value) == ("warmup", 0.0):
        return
    with pytest.raises(ValueError, match=rf"`{name}` must "):
        WarmupStepDecay(**{**good, name: given})
