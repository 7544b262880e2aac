from typing import Any

from keras_mixvit import masks
from keras_mixvit._checks import require_positive_integer
from keras_mixvit.masks import MaskSampler


def mask_families(num_subnetworks: int = 2) -> dict[str, MaskSampler]:
    """A sampler of each family of masks of the library, by its name.

    Args:
        num_subnetworks: Integer of at least 2, the number M of subnetworks;
            families that do not support M are left out. Defaults to `2`.

    Returns:
        Dict from names to samplers; families of patches have patches of 4
        pixels, the others masks of pixels.

    Raises:
        ValueError: If `num_subnetworks` is less than 2.

    Example:

    ```python
    assert "CowMask" in mask_families() and "CowMask" not in mask_families(3)
    ```

    References:
        MixMo, Table 2 and Section 6.7; MixViT, Appendix B and H.
    """
    require_positive_integer("num_subnetworks", num_subnetworks, minimum=2)
    size: dict[str, Any] = {"num_subnetworks": num_subnetworks}
    families = {
        "sum (MIMO)": masks.ConstantMasks(1, **size),
        "linear": masks.LinearMasks(**size),
        "left, right": masks.ConcatenationMasks(**size),
        "above, below": masks.ConcatenationMasks(direction="vertical", **size),
        "PatchUp": masks.PatchUpMasks(**size),
        "FMix": masks.FMixMasks(**size),
        "CowMask": masks.CowMasks(),
        "CutMix": masks.CutMixMasks(**size),
        "CutMix, linear": masks.BinaryOrLinear(masks.CutMixMasks(**size)),
        "patches": masks.PatchCutMix(4, **size),
        "patch means": masks.PatchCutMix(4, binarize=False, **size),
    }
    return {
        name: family
        for name, family in families.items()
        if family.num_subnetworks == num_subnetworks
    }
