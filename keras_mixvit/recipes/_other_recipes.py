"""The recipes derived from one: its baseline and its members."""

from keras_mixvit.recipes._part import Part


def baseline_of(recipe, cutmix):
    """The result of `Recipe.baseline`."""
    pairs = recipe.pairs.options
    pixels = recipe.pixel_mixing
    for name in ("input_repetition", "input_order"):
        pairs.pop(name, None)
    if cutmix:
        pixels = Part("cutmix")
    elif recipe.method.name == "mixvit":
        options = pixels.options
        options.pop("visible_share", None)
        pixels = Part(pixels.name, **options)
    else:
        pixels = Part("none")
        pairs.pop("repetitions", None)
        if not recipe.is_augmented and not pairs.get("keep_on_device"):
            pairs.pop("apply_on", None)
    return recipe.replace(
        name=f"{recipe.name}-single" + ("-cutmix" if cutmix else ""),
        method="single",
        mixing=Part(),
        pairs=Part(**pairs),
        pixel_mixing=pixels,
        num_members=1,
        ensemble_of="logits",
    )


def members_of(recipe):
    """The result of `Recipe.members`."""
    if recipe.num_members == 1:
        return [recipe]
    # A single network averages nothing, so `ensemble_of` must not be set.
    own = {} if recipe.has_subnetworks else {"ensemble_of": "logits"}
    return [
        recipe.replace(num_members=1, seed=recipe.seed * recipe.num_members + i, **own)
        for i in range(recipe.num_members)
    ]
