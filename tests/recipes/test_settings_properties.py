"""What texts of settings, and files of recipes, become."""

import json
import os
import re
import tempfile
import typing
from pathlib import Path

import pytest
from hypothesis import strategies as st

from keras_mixvit.recipes import Recipe, read_recipe, recipe_text, recipes
from keras_mixvit.recipes._recipe_parts import NAMES, PARTS, settings_of
from keras_mixvit.recipes._values import kinds, parsed
from tests.properties import holds, outcome

SETTINGS = settings_of(Recipe())
CHOICES = [
    str(choice)
    for hint, _ in SETTINGS.values()
    for kind in kinds(hint)
    if typing.get_origin(kind) is typing.Literal
    for choice in typing.get_args(kind)
]
NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from([0, -1, 10**12, 10**400, 1e308, 1e-308]),
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            *("nan", "-inf", "Infinity", "1e999", "-1e-999", "0x10", "1_000", "٣"),
            *("none", "None", "true", "NO", "", "()", "(1,)", "1,,2", "[nan]", "1e9"),
            *("9" * 5000, "1" * 400, "-0", "0", "-1", "1.5", "\x00", "a=b", "'"),
            "__import__('os').system('touch was_run')",
            "{{7*7}}",
            "${HOME}",
            *CHOICES,
            *NAMES.values(),
        ]
    ),
    NUMBERS.map(lambda number: str(number) if abs(number) < 1e300 else "1e300"),
)


VALUES = st.one_of(
    st.booleans(),
    st.none(),
    NUMBERS.filter(lambda number: abs(number) < 1e300),
    st.sampled_from(["sum", "x", "cutmix"]),
    st.lists(NUMBERS.filter(lambda n: abs(n) < 1e300), min_size=2).map(tuple),
)


@holds(few=150, many=5000, value=VALUES, blanks=st.sampled_from(["", " ", "\t"]))
def test_a_value_comes_back_from_its_text(value, blanks):
    text = ",".join(map(repr, value)) if isinstance(value, tuple) else str(value)
    assert parsed(text) == value
    setting = f"data.name{blanks}={blanks}{text}"
    assert Recipe().with_settings([setting]).data.name == text


@holds(few=200, many=8000, name=st.sampled_from(sorted(SETTINGS)), text=TEXTS)
def test_any_text_is_a_recipe_or_a_clear_error(name, text):
    made, refusal = outcome(Recipe().with_settings, [f"{name}={text}"])
    assert not os.path.exists("was_run")
    if refusal is not None:
        assert " must " in refusal
        assert "Received: " in refusal
        return
    again = Recipe.from_dict(json.loads(json.dumps(made.to_dict(), allow_nan=False)))
    assert again == made
    # What is derived are finite numbers.
    assert made.total_epochs >= 1
    for derived in (made.learning_rate, made.schedule.warmup(made.epochs)):
        assert 0 <= derived < float("inf")


@holds(
    few=60,
    many=3000,
    first=TEXTS,
    second=TEXTS,
    setting=st.text(max_size=30),
)
def test_any_text_is_parsed_or_refused(first, second, setting):
    for settings in ([setting], [f"{first}={second}"]):
        _, refusal = outcome(Recipe().with_settings, settings)
        if refusal is not None:
            assert "must be" in refusal
            assert "Received: " in refusal


@holds(few=10, many=400, index=st.integers(0, len(recipes()) - 1))
def test_every_named_recipe_survives_its_file(index):
    made = recipes()[index]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.toml"
        path.write_text(recipe_text(made), encoding="utf-8")
        assert read_recipe(str(path)) == made
    assert Recipe.from_dict(json.loads(json.dumps(made.to_dict()))) == made


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from([10**400, -(10**400), "cut_mixmo", "none", 0, -1]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    max_leaves=5,
)


@holds(
    few=200,
    many=8000,
    name=st.sampled_from([*sorted(SETTINGS), *PARTS, "unknown"]),
    value=JSON,
)
def test_any_json_is_a_recipe_or_a_clear_error(name, value):
    part, _, option = name.partition(".")
    made, refusal = outcome(
        Recipe.from_dict, {part: {option: value} if option else value}
    )
    if refusal is not None:
        assert " must " in refusal
        return
    assert Recipe.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize("values", [[], None, "width=8", 3])
def test_a_recipe_of_no_dict_is_refused(values):
    message = "`values` must be a dict with the fields of a recipe."
    message = f"{message} Received: values={values!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Recipe.from_dict(values)


@pytest.mark.parametrize("settings", [None, 3, [3], "width=8"])
def test_settings_that_are_no_list_of_strings_are_refused(settings):
    message = (
        "`settings` must be a dict, or a list of strings, each of the form key=value. "
        "Received: "
        f"settings={settings!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Recipe().with_settings(settings)
