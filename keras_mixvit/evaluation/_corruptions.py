import io

import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import is_integer, require, require_choice

# The strength of each severity, 1 to 5.
SEVERITIES = {
    # Standard deviation, as a share of white.
    "gaussian_noise": (0.04, 0.08, 0.12, 0.18, 0.26),
    # Standard deviation in pixels of an image 32 pixels wide.
    "gaussian_blur": (0.4, 0.6, 0.8, 1.1, 1.5),
    # The share of the distance from the mean of the image that is left.
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),
    # Quality.
    "jpeg": (50, 30, 20, 12, 7),
}
SIDE = 32


def corrupt(
    images: npt.NDArray[np.uint8], name: str, severity: int, seed: int = 0
) -> npt.NDArray[np.uint8]:
    """Corrupts images: noise, blur, less contrast, or compression.

    These four simple corruptions work on any set of images. They are not those
    of CIFAR-10-C, so do not compare your figures with that benchmark
    (`load_corrupted` reads it). Equal arguments give equal images.

    | name | what it does, from severity 1 to 5 |
    |---|---|
    | `gaussian_noise` | adds noise of 4, 8, 12, 18, 26 % of white |
    | `gaussian_blur` | blurs by 0.4, 0.6, 0.8, 1.1, 1.5 pixels of 32 |
    | `contrast` | leaves 75, 50, 40, 30, 15 % of the distance from the mean |
    | `jpeg` | compresses with quality 50, 30, 20, 12, 7; needs Pillow |

    Args:
        images: uint8 array `(B, H, W, C)`, from black, 0, to white, 255.
        name: `"gaussian_noise"`, `"gaussian_blur"`, `"contrast"` or `"jpeg"`.
        severity: Integer from 1 to 5.
        seed: Non-negative integer, of the noise. Defaults to `0`.

    Returns:
        uint8 array `(B, H, W, C)`.

    Raises:
        ValueError: If the images are of another dtype or shape, or the name or the
            severity is not known.
        ModuleNotFoundError: If `"jpeg"` is asked for and Pillow is missing.

    Example:

    ```python
    images = np.full((2, 32, 32, 3), 128, "uint8")
    noisy = corrupt(images, "gaussian_noise", severity=3, seed=1)
    assert noisy.dtype == "uint8" and 25 < noisy.std() < 36
    ```

    References:
        D. Hendrycks, T. Dietterich, *Benchmarking Neural Network Robustness to
        Common Corruptions and Perturbations*, ICLR 2019, whose kinds of corruption
        these follow.
    """
    require(
        isinstance(images, np.ndarray)
        and images.dtype == np.uint8
        and images.ndim == 4,
        "`images` must be a uint8 array of shape (B, H, W, C).",
        images=getattr(images, "dtype", type(images).__name__),
        shape=np.shape(images) if isinstance(images, np.ndarray) else None,
    )
    require_choice("name", name, tuple(SEVERITIES))
    require(
        is_integer(severity) and 1 <= severity <= 5,
        "`severity` must be an integer from 1 to 5.",
        severity=severity,
    )
    require(
        is_integer(seed) and seed >= 0,
        "`seed` must be an integer of at least 0.",
        seed=seed,
    )
    strength = SEVERITIES[name][severity - 1]
    if name == "jpeg":
        return np.stack([_jpeg(image, strength) for image in images])
    x = images.astype("float32")
    if name == "gaussian_noise":
        rng = np.random.default_rng(seed)
        x += 255 * strength * rng.standard_normal(x.shape, "float32")
    elif name == "gaussian_blur":
        for axis in (1, 2):
            x = _blurred(x, axis, strength * max(images.shape[1:3]) / SIDE)
    else:
        mean = x.mean(axis=(1, 2), keepdims=True)
        x = mean + strength * (x - mean)
    return np.clip(np.rint(x), 0, 255).astype("uint8")


def _blurred(x, axis, deviation):
    """Convolution with a Gaussian; borders repeat the last pixel."""
    reach = max(1, round(4 * deviation))
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / deviation) ** 2)
    weights = (weights / weights.sum()).astype("float32")
    places = np.arange(x.shape[axis])
    found = np.zeros_like(x)
    for offset, weight in zip(offsets, weights, strict=True):
        moved = np.clip(places + offset, 0, len(places) - 1)
        found += weight * np.take(x, moved, axis=axis)
    return found


def _jpeg(image, quality):
    from PIL import Image

    # JPEG has grey images and images of three colours.
    if image.shape[2] == 3:
        return _compressed(Image.fromarray(image), quality)
    channels = [
        _compressed(Image.fromarray(image[..., c]), quality)
        for c in range(image.shape[2])
    ]
    return np.stack(channels, axis=-1)


def _compressed(picture, quality):
    from PIL import Image

    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    with Image.open(io.BytesIO(file.getvalue())) as decoded:
        return np.asarray(decoded)
