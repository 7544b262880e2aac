import numpy as np
import pytest

from keras_mixvit.analysis import mixed_samples, training_curves
from keras_mixvit.backbones import ConViT
from keras_mixvit.data import mixed_pair_dataset
from keras_mixvit.models import MixViT
from tests.helpers import numpy

pytest.importorskip("matplotlib")

NAMES = ("ant", "bee", "cat")


def dataset(model, channels=1, soft=False):
    images = np.random.default_rng(0).integers(256, size=(8, 4, 4, channels))
    labels = np.arange(8) % 3
    return mixed_pair_dataset(
        images.astype("uint8"),
        np.eye(3)[labels] if soft else labels,
        model.mask_sampler(),
        epochs=2,
        batch_size=4,
    )


def mixvit(channels=1, **changes):
    backbone = ConViT((4, 4, channels), 2, 8, 2, 1, 1)
    return MixViT(backbone, len(NAMES), **changes)


def assert_saves(figure, path):
    figure.savefig(path / "figure.png")
    assert (path / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("channels", [1, 3])
def test_mixed_samples_shows_the_first_batch_and_returns_it(channels, tmp_path):
    model = mixvit(channels)
    pairs = dataset(model, channels)
    figure, arrays = mixed_samples(pairs, model.mixing, NAMES, count=2)
    inputs, labels = pairs.batch(0, 0)
    np.testing.assert_array_equal(arrays["images"], inputs["images"][:2])
    np.testing.assert_array_equal(arrays["masks"], inputs["masks"][:2])
    np.testing.assert_array_equal(arrays["labels"], labels[:2])
    np.testing.assert_allclose(
        arrays["ratios"], inputs["masks"][:2].mean(axis=(2, 3)), rtol=1e-6
    )
    mixed, _ = model.mixing(inputs["images"][:2], inputs["masks"][:2])
    np.testing.assert_allclose(arrays["mixed"], numpy(mixed), rtol=1e-6)
    # Two images, their mask and the mixed image, for each sample.
    assert len(figure.axes) == 2 * 4
    titles = [axes.get_title() for axes in figure.axes]
    for sample in range(2):
        for member in range(2):
            name = NAMES[labels[sample, member]]
            share = arrays["ratios"][sample, member]
            assert titles[2 * member + sample] == f"{name}: {share:.2f}"
    assert_saves(figure, tmp_path)


def test_mixed_samples_without_mixing_shows_the_images_only(tmp_path):
    model = mixvit(num_subnetworks=3, input_mixing="all_tokens")
    figure, arrays = mixed_samples(dataset(model), model.mixing, NAMES)
    assert arrays["mixed"] is None
    # A batch holds less than the six samples that are shown otherwise.
    assert len(figure.axes) == 4 * 3
    assert arrays["images"].shape == (4, 3, 4, 4, 1)
    np.testing.assert_allclose(arrays["ratios"], 1 / 3, rtol=1e-6)
    assert_saves(figure, tmp_path)


def test_mixed_samples_names_the_likeliest_class_of_soft_labels():
    model = mixvit()
    figure, arrays = mixed_samples(dataset(model, soft=True), None, NAMES, count=1)
    assert arrays["labels"].shape == (1, 2, 3)
    name = NAMES[int(np.argmax(arrays["labels"][0, 0]))]
    assert figure.axes[0].get_title().startswith(f"{name}: ")


def test_mixed_samples_leaves_the_epoch_of_the_data_set():
    model = mixvit()
    pairs = dataset(model)
    pairs.epoch = 1
    mixed_samples(pairs, model.mixing, NAMES, count=1)
    assert pairs.epoch == 1


def write_history(path, rows):
    lines = ["epoch,accuracy,loss,val_accuracy,val_nll"]
    lines += [",".join(str(value) for value in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_training_curves_draws_and_returns_the_columns_of_the_histories(tmp_path):
    rows = [(0, 0.25, 1.5, 0.5, 0.75), (1, 0.5, 1.25, 0.625, 0.5)]
    files = {
        "one": write_history(tmp_path / "one.csv", rows),
        "other": str(write_history(tmp_path / "other.csv", rows[:1])),
    }
    figure, numbers = training_curves(files)
    assert numbers["one"] == {
        "epoch": [0.0, 1.0],
        "accuracy": [0.25, 0.5],
        "loss": [1.5, 1.25],
        "val_accuracy": [0.5, 0.625],
        "val_nll": [0.75, 0.5],
    }
    assert numbers["other"]["val_nll"] == [0.75]
    panels = zip(figure.axes, ("loss", "val_accuracy", "val_nll"), strict=True)
    for axes, column in panels:
        one, other = axes.get_lines()
        assert (one.get_label(), other.get_label()) == ("one", "other")
        np.testing.assert_array_equal(one.get_xdata(), [1, 2])
        np.testing.assert_array_equal(one.get_ydata(), numbers["one"][column])
        np.testing.assert_array_equal(other.get_ydata(), numbers["other"][column])
    assert_saves(figure, tmp_path)
