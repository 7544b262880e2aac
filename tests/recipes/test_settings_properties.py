"""What texts of settings, and JSON files of recipes, become."""

import dataclasses
import json
import os
import re

import pytest
from hypothesis import strategies as st

from keras_mixvit.recipes import Published, Recipe, recipes
from keras_mixvit.recipes._recipe_checks import CHOICES, KNOWN
from keras_mixvit.recipes._settings import is_of, kinds, parsed_settings
from tests.properties import holds, outcome

FIELDS = {
    field.name: kinds(field.type)
    for field in dataclasses.fields(Recipe)
    if field.name != "published"
}
NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from([0, -1, 10**12, 10**400, 1e308, 1e-308]),
)
BY_KIND = {
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=12),
    tuple: st.lists(NUMBERS, max_size=4).map(tuple),
    type(None): st.none(),
}
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
            *[str(value) for choices in CHOICES.values() for value in choices],
            *[value for known in KNOWN.values() for value in known[:3]],
        ]
    ),
    NUMBERS.map(lambda number: str(number) if abs(number) < 1e300 else "1e300"),
)


def told(value):
    """A value as the text of a setting."""
    if isinstance(value, tuple):
        return ",".join(map(repr, value))
    return value if isinstance(value, str) else str(value)


@st.composite
def values(draw):
    name = draw(st.sampled_from(sorted(FIELDS)))
    kind = draw(st.sampled_from(FIELDS[name]))
    value = draw(BY_KIND[kind])
    if kind is tuple:
        # A whole number is an integer, whatever it was written as.
        value = tuple(v for v in value if abs(v) < 1e300)
    return name, value


@holds(few=150, many=5000, drawn=values(), blanks=st.sampled_from(["", " ", "\t"]))
def test_a_value_comes_back_from_its_text(drawn, blanks):
    name, value = drawn
    text = told(value)
    key = name.replace("_", "-") if blanks else name
    found = parsed_settings([f"{key}{blanks}={blanks}{text}"], Recipe)
    assert list(found) == [name]
    others = set(FIELDS[name]) - {str}
    if isinstance(value, str):
        if others:
            # A text that looks like another kind is of that kind.
            assert is_of(found[name], FIELDS[name])
        else:
            assert found[name] == text.strip()
    else:
        assert found[name] == value
        assert is_of(found[name], FIELDS[name])


@holds(few=200, many=8000, name=st.sampled_from(sorted(FIELDS)), text=TEXTS)
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
    for derived in (made.resolved_learning_rate, made.resolved_warmup_epochs):
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
        found, refusal = outcome(parsed_settings, settings, Recipe)
        if refusal is None:
            assert set(found) <= set(FIELDS)
        else:
            assert "must be" in refusal
            assert "Received: " in refusal


@holds(few=10, many=400, index=st.integers(0, len(recipes()) - 1))
def test_every_named_recipe_survives_json(index):
    made = recipes()[index]
    again = Recipe.from_dict(json.loads(json.dumps(made.to_dict(), allow_nan=False)))
    assert again == made
    plain = json.loads(json.dumps(made.to_dict()))
    assert json.loads(json.dumps(again.to_dict())) == plain


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from([10**400, -(10**400), "cut-mixmo", "none", 0, -1]),
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
    name=st.sampled_from([*sorted(FIELDS), "published", "unknown"]),
    value=JSON,
)
def test_any_json_is_a_recipe_or_a_clear_error(name, value):
    made, refusal = outcome(Recipe.from_dict, {name: value})
    if refusal is not None:
        assert " must " in refusal
        return
    assert Recipe.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize("value", [None, 3, "rows", {"paper": "MixMo"}])
def test_published_rows_that_are_no_list_are_refused(value):
    message = f"`published` must be a list of rows. Received: published={value!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Recipe.from_dict({"published": value})


@pytest.mark.parametrize("values", [[], None, "width=8", 3])
def test_a_recipe_of_no_dict_is_refused(values):
    message = "`values` must be a dict of the fields of a recipe."
    message = f"{message} Received: values={values!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Recipe.from_dict(values)


@pytest.mark.parametrize("settings", [None, 3, [3], "width=8"])
def test_settings_that_are_no_list_of_strings_are_refused(settings):
    message = (
        "`settings` must be a list of strings, each of the form key=value. Received: "
        f"settings={settings!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Recipe().with_settings(settings)


@pytest.mark.parametrize("value", [[3], [None], [["paper", "MixMo"]]])
def test_published_rows_that_are_no_dicts_are_refused(value):
    with pytest.raises(ValueError, match="A row of `published` must be a dict"):
        Recipe.from_dict({"published": value})


ROW = {"paper": "MixMo", "place": "Table 1", "row": "CutMix", "figures": [["top1", 1]]}


@holds(
    few=60,
    many=2000,
    name=st.sampled_from([*sorted(ROW), "recipe", "note", "unknown"]),
    value=JSON,
)
def test_any_json_is_a_row_or_a_clear_error(name, value):
    made, refusal = outcome(Published.from_dict, {**ROW, name: value})
    if refusal is not None:
        assert " must " in refusal
        return
    again = json.loads(json.dumps(dataclasses.asdict(made)))
    assert Published.from_dict(again) == made


@pytest.mark.parametrize("missing", ["paper", "place", "row"])
def test_a_row_without_its_name_is_refused(missing):
    rest = {key: value for key, value in ROW.items() if key != missing}
    with pytest.raises(ValueError, match=rf"`{missing}` must "):
        Published.from_dict(rest)
