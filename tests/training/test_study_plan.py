import pytest

from keras_mixvit import load
from keras_mixvit.costs import flops
from keras_mixvit.recipes import Recipe, model_for, read_recipe
from keras_mixvit.training import study
from keras_mixvit.training._study_plan import accelerators, plan
from tests.training.tiny_study import TEXT, write_study

TINY = {"width": 8, "num_heads": 2, "num_blocks": 1, "num_class_blocks": 1}
VALUES = {"backbone": TINY, "data": {"share": 0.1}, "batch_size": 16, "epochs": 3}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(settings=(), **changes):
    given = {"values": {**VALUES, **changes}, "settings": list(settings)}
    return plan({"mine": given}, [0, 4], None)["rows"]["mine"]


@pytest.mark.parametrize("changes", [{}, {"pairs": {"repetitions": 2}}])
def test_training_costs_three_forward_passes_for_each_sample(changes):
    found = planned(**changes)
    # 10 images of each class.
    steps = 3 * (100 * (2 if changes else 1) // 16)
    model = model_for(Recipe(**VALUES), load("digits"))
    assert (found["steps"], found["samples"]) == (steps, 16 * steps)
    forward = flops(model, training=True).total.flops
    assert found["training_flops"] == 3 * forward * 16 * steps
    assert found["inference_flops"] == flops(model).total.flops
    assert found["parameters"] == model.count_params()


def test_recipes_have_the_seeds_and_what_was_set(tmp_path):
    found = planned(["backbone.num_blocks=3", "method=single"])
    assert list(found["recipes"]) == ["0", "4"]
    path = tmp_path / "mine.toml"
    path.write_text(found["recipes"]["4"])
    recipe = read_recipe(str(path))
    assert (recipe.seed, recipe.method.name) == (4, "single")
    assert recipe.backbone.options["num_blocks"] == 3


def test_accelerators_have_names():
    found = accelerators()
    assert isinstance(found, list)
    assert all(name and "cpu" not in name.lower() for name in found)


def test_rows_of_unequal_steps_are_refused_unless_the_file_allows_them(folder):
    text = TEXT.replace('"mixvit"', '"mixvit"\nepochs = 2')
    with pytest.raises(ValueError, match="`equal_steps` must be false if rows"):
        study(write_study(folder, text), report=True)
    text = text.replace("seeds", "equal_steps = false\nseeds", 1)
    found = study(write_study(folder, text), report=True, tell=lambda text: None)
    assert found["rows"][1]["relative_training_cost"] > 2
    page = (folder / "results" / "tiny.md").read_text()
    assert "The rows take different numbers of steps" in page


def test_an_ensemble_costs_what_its_networks_cost(folder):
    text = f'{TEXT}\n[rows.two]\nmethod = "single"\nnum_members = 2\n'
    found = study(write_study(folder, text), report=True, tell=lambda text: None)
    single, _, two = found["rows"]
    assert two["relative_training_cost"] == two["relative_inference_cost"] == 2
    assert two["parameters"] == 2 * single["parameters"]
    assert two["steps"] == single["steps"]


def test_what_is_no_recipe_is_refused_by_the_name_of_its_row(folder):
    for old, new, error in (
        ("[recipe.backbone]", "[recipe.backbone]\ndepth = 3", "`backbone.depth` must"),
        ("epochs = 1", "epochs = 0", "`epochs` must be an integer of at least 1."),
        ("./three.npz", "./four.npz", "`data.name` must be one of "),
    ):
        with pytest.raises(ValueError, match=r"\(in the row 'single'\)") as refusal:
            study(write_study(folder, TEXT.replace(old, new)), report=True)
        assert str(refusal.value).startswith(error), refusal.value
