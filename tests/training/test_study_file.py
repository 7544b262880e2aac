import pytest

from keras_mixvit.training._study_file import (
    chosen_seeds,
    read_study,
    require_chosen,
    slug,
)

TEXT = """
seeds = [0, 1]
baseline = "single + CutMix"
[recipe]
epochs = 3
pairs = {repetitions = 2}
set = ["backbone.width=16"]
[rows."single + CutMix"]
method = "single"
pixel_mixing = "cutmix"
[rows."MixViT, M = 2"]
base = "digits-mixvit"
epochs = 4
set = ["backbone.num_blocks=1"]
"""


@pytest.fixture
def file(tmp_path):
    return written(tmp_path, TEXT)


def written(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_a_study_has_the_name_of_its_file_and_defaults(file):
    found = read_study(file)
    assert (found.name, found.seeds) == ("mine", (0, 1))
    assert (found.note, found.corruptions, found.equal_steps) == ("", True, True)
    assert list(found.rows) == ["single + CutMix", "MixViT, M = 2"]


def test_a_row_replaces_what_all_share_and_that_its_base(file):
    found = read_study(file)
    assert found.values("single + CutMix") == {
        "name": "mine-single-cutmix",
        "epochs": 3,
        "pairs": {"repetitions": 2},
        "method": "single",
        "pixel_mixing": "cutmix",
    }
    values = found.values("MixViT, M = 2")
    # Of the recipe `digits-mixvit`.
    assert values["backbone"]["name"] == "convit"
    assert (values["epochs"], values["pairs"]) == (4, {"repetitions": 2})
    assert found.settings("MixViT, M = 2") == [
        "backbone.width=16",
        "backbone.num_blocks=1",
    ]


def test_a_base_may_be_a_file_beside_that_of_the_study(tmp_path):
    (tmp_path / "base.toml").write_text("batch_size = 7\n")
    text = TEXT.replace('"digits-mixvit"', '"base.toml"')
    found = read_study(written(tmp_path, text))
    assert found.values("MixViT, M = 2")["batch_size"] == 7


def test_a_folder_has_the_letters_and_digits_of_a_row():
    assert slug("MixViT, M = 2 (mine)") == "mixvit-m-2-mine"


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("seeds = [0, 1]", "", "`seeds` must be a list of integers. Received: seeds=N"),
        ("[0, 1]", "[]", "`seeds` must be a list of integers. Received: seeds=[] (in "),
        ("[0, 1]", "[0, 0]", "`seeds` must not have a seed twice. Received: seeds=[0"),
        ("[0, 1]", "[-1]", "`seeds` must be an integer of at least 0. Received: seed"),
        ("[0, 1]", "[true]", "`seeds` must be an integer of at least 0. Received: se"),
        ("seeds", "sedes", "`key` must be a known name. Nearest: 'seeds'"),
        ('e = "si', 'e = "Si', "`baseline` must be the name of a row. Received: basel"),
        ("epochs = 3", "epoch = 3", "`key of recipe` must be a known name. Nearest: "),
        ("epochs = 4", "epoch = 4", "`key of rows.MixViT, M = 2` must be a known name"),
        (
            "epochs = 3",
            "seed = 3",
            "`seed` must not be set in `recipe`: the study",
        ),
        ("epochs = 4", "seed = 4", "`seed` must not be set in `rows.MixViT, M = 2`: t"),
        ("epochs = 4", 'name = "a"', "`name` must not be set in `rows.MixViT, M = 2`"),
        ("digits-mixvit", "digits-mxvit", "`base` must be a known name. Nearest: 'dig"),
        ('"digits-mixvit"', "1", "`base` must be a string. Received: base=1"),
        ('"digits-mixvit"', '"b.toml"', "`path` must be a readable file. Rec"),
        ('["backbone.width=16"]', '["width"]', "`settings` must be of the form key=va"),
        ('["backbone.width=16"]', "1", "`set` must be a list of strings, each of the "),
        ("seeds", 'name = "a/b"\nseeds', "`name` must be the name of a file: letters,"),
        ("seeds", 'name = ".."\nseeds', "`name` must be the name of a file: letters, "),
        ("seeds", "note = 1\nseeds", "`note` must be a string. Received: note=1"),
        ("seeds", "corruptions = 1\nseeds", "`corruptions` must be true or false. Rec"),
        ("seeds", "equal_steps = 1\nseeds", "`equal_steps` must be true or false. Rec"),
        ("MixViT, M = 2", "Single CutMix", "`rows` must have names that differ in the"),
        ("MixViT, M = 2", "+", "`rows` must have letters or digits in their names. R"),
        (TEXT[-90:], "\n[rows.empty]", "`rows` must not be empty: each row must set "),
        ("[recipe]", "[[recipe]]", "`recipe` must be a table. Received: recipe=[{"),
        (TEXT[TEXT.index("[rows") :], "", "`rows` must be tables, one for each row, s"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(tmp_path, old, new, error):
    assert old in TEXT
    path = written(tmp_path, TEXT.replace(old, new, 1))
    with pytest.raises(ValueError, match=r"Received: ") as refusal:
        read_study(path)
    assert str(refusal.value).startswith(error)
    assert path in str(refusal.value)


def test_rows_must_be_tables(tmp_path):
    text = TEXT[: TEXT.index("[recipe]")] + "[rows]\nsingle = 1\n"
    with pytest.raises(ValueError, match=r"`rows.single` must be a table. Received: "):
        read_study(written(tmp_path, text))


def test_seeds_are_typed_with_commas():
    assert chosen_seeds("0, 12") == [0, 12]
    for text in ("", "a", "1,,2", "-1", "1.5", "²"):
        with pytest.raises(ValueError, match="`seeds` must be integers with commas"):
            chosen_seeds(text)


def test_only_seeds_and_rows_of_the_file_can_be_chosen(file):
    found = read_study(file)
    require_chosen(found, [1], ["single + CutMix"])
    require_chosen(found, None, None)
    for seeds in ([2], [], 1, ["1"], [True]):
        with pytest.raises(ValueError, match=r"`seeds` must be in the file, one or "):
            require_chosen(found, seeds, None)
    for rows in (["single"], [], "MixViT, M = 2"):
        with pytest.raises(ValueError, match=r"`rows` must be in the file, one or "):
            require_chosen(found, None, rows)
