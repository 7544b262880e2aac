import numpy as np
import pytest

from keras_mixvit.analysis import mixed_samples
from keras_mixvit.backbones import ConViT, WideResNet
from keras_mixvit.data import mixed_pair_dataset
from keras_mixvit.masks import PatchCutMix
from keras_mixvit.models import MixMo, MixViT
from tests.analysis.figures import assert_saves
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


def test_mixed_samples_without_mixing_shows_what_is_seen_of_each_image(tmp_path):
    model = mixvit(num_subnetworks=3, input_mixing="all_tokens")
    figure, arrays = mixed_samples(dataset(model), model.mixing, NAMES)
    assert arrays["mixed"] is None
    # A batch holds less than the six samples that are shown otherwise: three
    # images, their masks, and three shares.
    assert len(figure.axes) == 4 * 7
    assert arrays["images"].shape == (4, 3, 4, 4, 1)
    np.testing.assert_allclose(arrays["ratios"], 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(arrays["shares"], arrays["images"] / 3, rtol=1e-6)
    assert_saves(figure, tmp_path)


def test_masks_of_a_coarser_grid_cover_the_pixels_of_their_places():
    model = MixMo(WideResNet((8, 6, 1), depth=10, widening=1), len(NAMES))
    images = np.random.default_rng(0).integers(256, size=(4, 8, 6, 1), dtype="uint8")
    pairs = mixed_pair_dataset(
        images, np.arange(4) % 3, PatchCutMix(2), epochs=2, batch_size=4
    )
    figure, arrays = mixed_samples(pairs, getattr(model, "mixing", None), NAMES)
    masks = arrays["masks"]
    assert masks.shape == (4, 2, 4, 3)
    for row in range(8):
        for column in range(6):
            np.testing.assert_array_equal(
                arrays["shares"][:, :, row, column],
                arrays["images"][:, :, row, column]
                * masks[:, :, row // 2, column // 2, None],
            )
    names = [axes.texts[0].get_text() for axes in figure.axes if axes.texts]
    assert names == ["image 0", "image 1", "masks", "seen of 0", "seen of 1"]


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
