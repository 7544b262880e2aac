import dataclasses

import numpy as np
import pytest
from PIL import Image

from keras_mixvit.data import load
from keras_mixvit.data.sets._class_folders import require_classes
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
    # Remarks leave out what you set yourself.
    assert not any("patches" in remark.lower() for remark in remarks)
    settings = ["batch-size=12", "data.protocol=paper", "augmentation=flip"]
    made, remarks = chosen_recipe("mixvit-convit", data=data, settings=settings)
    assert (made.batch_size, made.augmentation.name) == (12, "flip")
    assert not [r for r in remarks if "atches of" in r and "instead" in r]
    assert not [r for r in remarks if "protocol" in r or "mirror" in r]


@pytest.mark.parametrize(
    ("name", "sides", "expected"),
    [
        ("digits-mixvit", (36, 51, 63), 48),
        ("mixvit-convit", (300, 400, 500), 64),
        ("digits-mixvit", (5, 6, 20), 8),
    ],
)
def test_a_size_is_guessed_for_images_that_differ(name, sides, expected, tmp_path):
    for k, label in enumerate("ab"):
        (tmp_path / label).mkdir()
        for side in sides:
            pixels = np.full((side + k, side, 3), 9, "uint8")
            Image.fromarray(pixels).save(tmp_path / label / f"{side}.png")
    made, remarks = chosen_recipe(name, data=str(tmp_path))
    assert made.data.image_size == expected
    assert remarks[0] == (
        f"Guess: images are resized to {expected} x {expected} pixels, because they "
        f"differ in size (height {sides[0]} to {sides[-1] + 1}, width {sides[0]} to "
        f"{sides[-1]}); set another size with data.image_size={2 * expected}."
    )
    settings = ["data.image_size=32"]
    made, remarks = chosen_recipe(name, data=str(tmp_path), settings=settings)
    assert made.data.image_size == 32
    assert not any("differ in size" in remark for remark in remarks)


def test_recipes_of_large_images_say_their_size(tmp_path):
    for label, side in (("a", 300), ("b", 400)):
        (tmp_path / label).mkdir()
        for i in range(8):
            save(tmp_path / label / f"{i}.png", side)
    made, remarks = chosen_recipe("mixvit-imagenet", data=str(tmp_path))
    assert made.data.image_size == 224
    assert not any("differ in size" in remark for remark in remarks)


def save(path, side=8):
    Image.fromarray(np.full((side, side, 3), 9, "uint8")).save(path)


def test_one_class_is_refused_and_the_folder_below_is_named(tmp_path):
    for label in ("cat", "dog"):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for i in range(12):
            save(folder / f"{i}.png")
    text = (
        r"`data` must have images of at least two classes\. 'photos' holds folders: "
        rf"did you mean '{tmp_path}/photos'\? Received: data='{tmp_path}', "
        r"classes=\['photos'\]"
    )
    with pytest.raises(ValueError, match=text):
        chosen_recipe("digits-mixvit", data=str(tmp_path))
    text = r"at least two classes\. Received: data='.*dog', classes=\['only'\]"
    (tmp_path / "photos" / "dog" / "only").mkdir()
    for i in range(12):
        save(tmp_path / "photos" / "dog" / "only" / f"{i}.png")
    with pytest.raises(ValueError, match=text):
        chosen_recipe("digits-mixvit", data=str(tmp_path / "photos" / "dog"))
    images = load("digits")
    one = {"labels": np.zeros_like(images.labels), "class_names": ("only",)}
    with pytest.raises(ValueError, match=text.replace(".*dog", "mine")):
        require_classes(dataclasses.replace(images, **one), "mine")


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
