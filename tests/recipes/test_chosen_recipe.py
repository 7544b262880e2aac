import numpy as np
import pytest

from keras_mixvit.recipes import chosen_recipe, published_rows, recipe, recipe_text
from keras_mixvit.recipes._differences import published_of, scale_of
from keras_mixvit.recipes._published_text import in_words
from tests.tiny_run import write_images


def test_without_a_name_it_demonstrates_on_few_digits():
    assert chosen_recipe() == (recipe("digits-250-mixvit"), [])
    # All images of a set that you name are used.
    assert chosen_recipe(data="digits") == (recipe("digits"), [])
    for setting in ("data=digits", "data.name=digits"):
        assert chosen_recipe(settings=[setting]) == (recipe("digits"), [])


def test_a_recipe_s_own_share_of_the_data_is_not_scaled():
    assert scale_of(recipe("digits-250-mixvit")) == ""
    halved = recipe("digits-250-mixvit").with_settings({"data.share": 0.125})
    assert scale_of(halved) == "scaled: data x 0.125"
    assert scale_of(recipe("digits").with_settings({"data.share": 0.5})) == (
        "scaled: data x 0.5"
    )


def test_epochs_and_scale_take_the_schedule_with_them():
    made, _ = chosen_recipe("mixvit-convit", epochs=30)
    assert made.total_epochs == 30
    assert made.epochs == recipe("mixvit-convit").epochs
    assert made == chosen_recipe("mixvit-convit", scale=30 / made.epochs)[0]


def test_own_images_adapt_the_recipe_and_settings_have_the_last_word(tmp_path):
    data = write_images(tmp_path / "three.npz", train=320)
    made, remarks = chosen_recipe("mixvit-convit", data=data)
    assert (made.data.name, made.backbone.options["patch_size"]) == (data, 2)
    assert made.augmentation.name == "none"
    assert any("patches" in remark.lower() for remark in remarks)
    made, remarks = chosen_recipe(
        "mixvit-convit", data=data, settings=["backbone.patch_size=4"]
    )
    assert made.backbone.options["patch_size"] == 4
    assert remarks[-1] == "Your settings stay: backbone.patch_size=4."


def test_images_of_ones_own_are_validated_and_a_paper_s_recipe_is_not(tmp_path):
    assert recipe("mixvit-convit").data.protocol == "paper"
    data = write_images(tmp_path / "three.npz", train=320)
    for settings, protocol in (([], "validation"), (["data.protocol=paper"], "paper")):
        made, _ = chosen_recipe("mixvit-convit", data=data, settings=settings)
        assert made.data.protocol == protocol
    made, _ = chosen_recipe("mixvit-convit", settings=["data.val_share=0.2"])
    assert (made.data.protocol, made.data.val_share) == ("validation", 0.2)
    assert published_of(made)[1] == ["data.protocol=validation", "data.val_share=0.2"]
    text = r"`data\.val_share` must not be set with the protocol 'paper'; set data.prot"
    settings = ["data.val_share=0.2", "data.protocol=paper"]
    with pytest.raises(ValueError, match=text):
        chosen_recipe("mixvit-convit", settings=settings)


def test_the_batch_fits_the_images_that_are_left_to_train_on(tmp_path):
    data = write_images(tmp_path / "three.npz", train=200)
    arrays = {k: x for k, x in np.load(data).items() if not k.endswith("val")}
    np.savez(data, **arrays)
    _, remarks = chosen_recipe("mixvit-convit", data=data)
    assert any("per epoch of 180 images" in remark for remark in remarks)


def test_the_own_set_of_a_recipe_adapts_nothing():
    made, remarks = chosen_recipe("digits", data="digits", settings=["seed=2"])
    assert (made, remarks) == (recipe("digits").with_settings({"seed": 2}), [])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (["backbone.wdith=16"], r"`setting` must be a known name\. Nearest: 'back"),
        (["epochs=many"], r"`epochs` must be an integer\. Received: epochs='many'"),
        (["epochs"], r"`settings` must be of the form key=value\."),
    ],
)
def test_wrong_settings_are_refused(settings, text):
    with pytest.raises(ValueError, match=text):
        chosen_recipe(settings=settings)


def test_a_changed_recipe_tells_how_it_differs_from_what_was_published():
    settings = ["seed=3", "precision=bfloat16"]
    made, _ = chosen_recipe("mixvit-convit", settings=settings, scale=0.1)
    rows, differs = published_of(made)
    assert rows == published_rows(recipe="mixvit-convit")
    assert differs == ["epoch_scale=0.1"]
    assert scale_of(made) == "scaled: epochs x 0.1"
    texts = in_words(rows)
    assert texts[0].startswith("MixViT Table 2c: ")
    assert len(texts) == 1
    assert published_of(made.replace(name="mine")) == ([], [])


def test_a_file_is_a_recipe_and_adapts_like_a_named_one(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(recipe_text(recipe("mixvit-convit").replace(epochs=200)))
    made, _ = chosen_recipe(str(path), settings=["seed=2"])
    assert made == recipe("mixvit-convit").replace(epochs=200, seed=2)
    data = write_images(tmp_path / "three.npz", train=320)
    made, remarks = chosen_recipe(str(path), data=data)
    assert made.backbone.options["patch_size"] == 2
    assert remarks


def test_a_hyphen_in_the_name_of_a_setting_is_an_underscore():
    settings = ["data.val-share=0.2"]
    made, _ = chosen_recipe("mixvit-convit", settings=settings)
    assert (made.data.protocol, made.data.val_share) == ("validation", 0.2)
