import pytest

from keras_mixvit import load
from keras_mixvit.costs import flops
from keras_mixvit.recipes import Recipe, model_for, read_recipe
from keras_mixvit.training._study_plan import accelerators, plan

TINY = {"width": 8, "num_heads": 2, "num_blocks": 1, "num_class_blocks": 1}
VALUES = {"backbone": TINY, "data": {"share": 0.1}, "batch_size": 16, "epochs": 3}


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
