import pytest

from keras_mixvit.cli._main import main
from keras_mixvit.recipes import read_recipe, recipe, recipe_text
from tests.tiny_run import train_words, write_images

pytestmark = pytest.mark.one_backend


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (
            "data=missing.npz",
            "`data.name` must be one of 'digits', 'cifar10', 'cifar100', "
            "'tiny-imagenet', 'imagenet100', 'imagenet1k', 'tfds:NAME', 'hf:NAME', "
            "'wds:PATH', or an existing .npz file or folder. "
            "Received: data.name='missing.npz'",
        ),
        (
            "backbone=wide_resnet",
            "`backbone.width` must not be set with the backbone 'wide_resnet'. "
            "Received: backbone.width=8",
        ),
        (
            "method.r=2",
            "`method.r` must not be set with the method 'mixvit'. Received: method.r=2",
        ),
        (
            "backbone.widening=2",
            "`backbone.widening` must not be set with the backbone 'convit'. Received: "
            "backbone.widening=2",
        ),
        (
            "method.source_attribution=both",
            "`method.source_attribution` must be one of 'embedding', 'encoding', "
            "None. Received: method.source_attribution='both'",
        ),
        (
            "method.attribution_position=middle",
            "`method.attribution_position` must be one of 'late', 'early'. "
            "Received: method.attribution_position='middle'",
        ),
        (
            "method.input_mixing=mixup",
            "`method.input_mixing` must be one of 'binarized_cutmix', "
            "'averaged_masks', 'all_tokens'. Received: method.input_mixing='mixup'",
        ),
        (
            "method.inference=2",
            "`method.inference` must be 'parallel', 'sum', 'alternating' or the index "
            "of a subnetwork, 0 to 1. Received: method.inference=2",
        ),
        (
            "method.inference=all",
            "`method.inference` must be 'parallel', 'sum', 'alternating' or the index "
            "of a subnetwork, 0 to 1. Received: method.inference='all'",
        ),
        (
            "ensemble_of=votes",
            "`ensemble_of` must be one of 'logits', 'probabilities'. "
            "Received: ensemble_of='votes'",
        ),
        (
            "backbone.patch_size=3",
            "`backbone.patch_size` must divide the image size. "
            "Received: backbone.patch_size=3, image_size=(8, 8)",
        ),
        (
            "backbone.num_heads=3",
            "`backbone.num_heads` must divide the width. Received: "
            "backbone.num_heads=3, backbone.width=8",
        ),
        (
            "method.num_subnetworks=1",
            "`method.num_subnetworks` must be an integer of at least 2. "
            "Received: method.num_subnetworks=1",
        ),
        (
            "batch_size=17",
            "`batch_size` must not exceed the number of images. "
            "Received: batch_size=17, images=16",
        ),
        (
            "mixing.alpha=0",
            "`mixing.alpha` must be a positive finite number. Received: "
            "mixing.alpha=0.0",
        ),
        (
            "backbone.stochastic_depth_rate=1",
            "`backbone.stochastic_depth_rate` must be in [0, 1). "
            "Received: backbone.stochastic_depth_rate=1.0",
        ),
        (
            "epochs=many",
            "`epochs` must be an integer. Received: epochs='many'",
        ),
        (
            "backbone.wdith=16",
            "`setting` must be a known name. Nearest: 'backbone.width', "
            "'backbone.patch_size', 'backbone.epsilon'. Received: "
            "setting='backbone.wdith'",
        ),
        ("epochs=0", "`epochs` must be an integer of at least 1. Received: epochs=0"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_leaves_no_folder(
    setting, text, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    data = write_images(tmp_path / "three.npz")
    assert main(train_words(data, tmp_path / "out", f"--set={setting}")) == 1
    assert capsys.readouterr().err.endswith(f"keras-mixvit: {text}\n")
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_is_one_sentence(tmp_path, capsys):
    (tmp_path / "three.npz").write_bytes(b"no archive")
    assert main(train_words(tmp_path / "three.npz", tmp_path / "out")) == 1
    message = capsys.readouterr().err
    assert message.startswith("keras-mixvit: `data.name` must be an intact .npz file ")


def test_an_output_folder_that_holds_something_is_left_alone(tmp_path, capsys):
    data = write_images(tmp_path / "three.npz")
    assert main(train_words(data, tmp_path)) == 1
    text = "keras-mixvit: `output` must be a new or empty folder. Received: output="
    assert capsys.readouterr().err == f"{text}{str(tmp_path)!r}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["three.npz"]


def test_an_output_folder_that_cannot_be_made_is_one_sentence(tmp_path, capsys):
    data = write_images(tmp_path / "three.npz")
    assert main(train_words(data, f"{data}/out")) == 1
    text = (
        "keras-mixvit: `output` must be a writable folder. Received: "
        f"output='{data}/out' (Not a directory)\n"
    )
    assert capsys.readouterr().err == text


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["predict"],
        ["show"],
        ["resume"],
        ["compare"],
        ["train", "--epochs=2", "--scale=0.1"],
        ["train", "--precision=float16"],
        ["train", "--set"],
        ["train", "--speed=2"],
        ["export"],
        ["export", "--format=keras"],
        ["export", "run"],
        ["export", "run", "--format=h5"],
        ["export", "run", "--format=keras", "--speed=2"],
    ],
)
def test_words_that_are_not_understood_are_told_with_the_usage(wrong, capsys):
    with pytest.raises(SystemExit) as stop:
        main(wrong)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("usage: keras-mixvit")


def test_recipes_are_listed_with_published_figures(capsys):
    assert main(["recipes", "--filter=cifar100-convit-mixvit-e*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("cifar100-convit-mixvit-embedding  (mixvit-embedding)")
    expected = (
        "    MixViT Table 2c: convit_mixvit, mixvit-embedding: accuracy 82.4 ± 0.1"
    )
    assert lines[place + 1] == expected
    assert not [line for line in lines if "wrn" in line]


def test_rows_that_are_only_quoted_are_listed_too(capsys):
    assert main(["recipes", "--filter=ResizeMix"]) == 0
    out = capsys.readouterr().out
    assert "Quoted by the papers, without a recipe:" in out
    assert "MixMo Table 1: cifar100: ResizeMix: top1 84.31" in out.replace(
        "accuracy", "top1"
    )
    assert "0 recipes, 2 quoted rows." in out


def test_a_recipe_is_shown_as_a_file_that_can_be_trained(capsys, tmp_path):
    assert main(["show", "mixvit-convit"]) == 0
    shown = capsys.readouterr().out
    made = recipe("mixvit-convit")
    figures = "# MixViT Table 2c: convit_mixvit, mixvit-embedding: accuracy 82.4 ± 0.1"
    assert shown.splitlines()[0] == figures
    assert made.note[:40] in shown
    (tmp_path / "mine.toml").write_text(shown, encoding="utf-8")
    assert read_recipe(str(tmp_path / "mine.toml")) == made.replace(note="")


def test_a_file_is_shown_as_the_whole_recipe_that_it_is(capsys, tmp_path):
    path = tmp_path / "mine.toml"
    text = 'method = "cut_mixmo"\nnote = "Mine."\n[backbone]\nwidth = 48\n'
    path.write_text(f"{text}num_blocks = 3\n")
    assert main(["show", str(path)]) == 0
    shown = capsys.readouterr()
    assert shown.out == recipe_text(read_recipe(str(path)))
    assert 'name = "mine"' in shown.out.splitlines()
    # A width of 48 is the default.
    assert "width" not in shown.out
    assert "num_blocks = 3" in shown.out
    assert shown.err == ""


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("epochs = ", "`path` must be a TOML file ("),
        ("[backbone]\nwdith = 9", "`setting` must be a known name. Nearest: 'backbone"),
        ("[mixing]\nprobability = 0.5", "`mixing.probability` must not be set with t"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(text, error, capsys, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    assert main(["show", str(path)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"keras-mixvit: {error}")
    assert str(path) in told.err


@pytest.mark.parametrize(
    "words", [["show", "mixvit-convti"], ["train", "mixvit-cnvit"]]
)
def test_an_unknown_recipe_is_told_with_the_nearest(words, capsys):
    assert main(words) == 1
    err = capsys.readouterr().err
    assert err.startswith("keras-mixvit: `name` must be a known name. Nearest: ")
    assert "'mixvit-convit'" in err
