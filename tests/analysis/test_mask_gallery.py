import inspect

import numpy as np
import pytest

from keras_mixvit import masks
from keras_mixvit.analysis import mask_families, mask_gallery
from keras_mixvit.analysis._style import mask_colours, subnetwork_colour
from tests.analysis.figures import assert_saves

pytest.importorskip("matplotlib")


def test_every_family_of_the_library_is_shown():
    public = [getattr(masks, name) for name in masks.__all__]
    families = {
        item
        for item in public
        if inspect.isclass(item)
        and issubclass(item, masks.MaskSampler)
        and not inspect.isabstract(item)
    }
    assert {type(sampler) for sampler in mask_families().values()} == families
    several = {type(sampler) for sampler in mask_families(3).values()}
    assert several == families - {masks.CowMasks}
    assert all(s.num_subnetworks == 3 for s in mask_families(3).values())


@pytest.mark.parametrize("members", [2, 3])
def test_masks_are_drawn_from_the_seed_and_shown_as_they_are(members, tmp_path):
    families = mask_families(members)
    figure, drawn = mask_gallery(families, (8, 12), count=2, seed=3)
    assert list(drawn) == list(families)
    for name, found in drawn.items():
        rng = np.random.default_rng(3)
        expected = [families[name].draw(rng, 1, (8, 12)) for _ in range(2)]
        np.testing.assert_array_equal(found, np.concatenate(expected))
        assert found.shape[:2] == (2, members)
    assert len(figure.axes) == 2 * len(families)
    first = list(families).index("CutMix") * 2
    for axes, mask in zip(figure.axes[first:], drawn["CutMix"], strict=False):
        ratios = mask.mean(axis=(1, 2))
        assert axes.get_title() == "/".join(f"{100 * r:.0f}" for r in ratios)
        shown = axes.get_images()[0].get_array()
        np.testing.assert_allclose(shown, mask_colours(mask))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [f"input {m}" for m in range(members)]
    few = {name: families[name] for name in ("linear", "FMix")}
    assert_saves(mask_gallery(few, (8, 12), count=2)[0], tmp_path)


def test_colours_of_a_mask_are_those_of_its_inputs_blended():
    from matplotlib.colors import to_rgb

    mask = np.array([[[1.0, 0.0, 0.25]], [[0.0, 1.0, 0.75]]])
    first, second = (np.array(to_rgb(subnetwork_colour(m))) for m in range(2))
    expected = [[first, second, 0.25 * first + 0.75 * second]]
    np.testing.assert_allclose(mask_colours(mask), expected)


def test_progress_reaches_the_samplers():
    family = {"patches": masks.PatchCutMix(4)}
    _, drawn = mask_gallery(family, (16, 16), count=3, progress=1.0)
    # At the end of training every mask shows a single source.
    assert set(drawn["patches"].mean(axis=(2, 3)).ravel()) == {0.0, 1.0}


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="`samplers` must not be empty"):
        mask_gallery({})
    with pytest.raises(ValueError, match="`count` must be an integer of at least 1"):
        mask_gallery(mask_families(), count=0)
    text = "`num_subnetworks` must be an integer of at least 2. Received: .*=1"
    with pytest.raises(ValueError, match=text):
        mask_families(1)
