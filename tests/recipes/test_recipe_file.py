"""Files of recipes that a person wrote, with mistakes."""

import pytest

from keras_mixvit.recipes import Recipe, read_recipe, recipe_text


def write(folder, text, encoding="utf-8"):
    path = folder / "mine.toml"
    path.write_bytes(text.encode(encoding))
    return str(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_mark_of_the_byte_order_and_other_line_ends_are_read(tmp_path, encoding):
    path = write(tmp_path, 'epochs = 10\r\nname = "é"\r\n', encoding)
    assert read_recipe(path) == Recipe("é", epochs=10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"seed = {'9' * 6000}", r"`path` must be a TOML file \(.*digits"),
        (f"seed = {'[' * 5000}{']' * 5000}", r"`path` must be a TOML file \("),
        ("epochs = 1\nepochs = 2", r"`path` must be a TOML file \("),
        ("[pairs]\nrepetitions = 0", r"`pairs\.repetitions` must be an integer of"),
        ("[backbone]\nmlp_ratio = inf", r"`backbone\.mlp_ratio` must be finite\. Rec"),
        ("[backbone.width]\nx = 1", r"`backbone\.width` must be an integer\. Rec"),
        ("[schedule]\nwarmup_epochs = 2020-01-01", r"`schedule\.warmup_epochs` must b"),
        ("[optimizer.clipnorm]\nx = 1", r"`optimizer\.clipnorm` must be an integer or"),
        ("[[backbone]]", r"`backbone` must be a `Part`, a string or a dict\. Rec"),
        ("[theta]\nx = 1", r"`setting` must be a known name\."),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read_recipe(write(tmp_path, text))
    assert "Received: " in str(error.value)


@pytest.mark.parametrize("name", ["folder.toml", "missing.toml"])
def test_what_is_no_file_is_refused(tmp_path, name):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ValueError, match=r"`path` must be a readable file"):
        read_recipe(str(tmp_path / name))


def test_integers_of_optimizers_come_back_as_integers(tmp_path):
    made = Recipe(optimizer={"gradient_accumulation_steps": 2, "clipnorm": 1})
    again = read_recipe(write(tmp_path, recipe_text(made)))
    assert again == made
    assert type(again.optimizer.options["gradient_accumulation_steps"]) is int
