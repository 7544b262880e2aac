"""Runs of linear networks and image files of many modes, for predictions."""

import io

import numpy as np
from PIL import Image

from keras_mixvit.recipes import Recipe
from keras_mixvit.training._run_facts import fingerprint
from keras_mixvit.training._run_settings import RunSettings
from tests.evaluation.linear import Linear

SHAPE = (8, 6, 3)
CLASSES = ("ant", "bee", "cat", "dog")
RNG = np.random.default_rng(7)


def pictures(count, shape=SHAPE, seed=0):
    """Random uint8 images."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), "uint8")


def linear(seed=0, members=2, shape=SHAPE, **options):
    """A model whose logits are about 1 for bytes."""
    model = Linear(shape, len(CLASSES), members, seed=seed, **options)
    model.heads.kernel.assign(np.asarray(model.heads.kernel) / 400)
    return model


def write_run(folder, model, shape=SHAPE, val=40, facts=True, seed=3, **data):
    """A folder as a run leaves it, without a model: `load_model` is replaced.

    Returns:
        The validation images and labels.
    """
    folder.mkdir(parents=True)
    images = pictures(val, shape, seed)
    labels = np.arange(val) % len(CLASSES)
    train = pictures(8, shape, 9)
    arrays = {"x_train": train, "y_train": np.arange(8) % 4, "classes": list(CLASSES)}
    if val:
        arrays |= {"x_val": images, "y_val": labels}
    arrays |= {"x_test": pictures(4, shape, 5), "y_test": np.arange(4)}
    np.savez(folder / "data.npz", **arrays)
    (folder / "model.keras").touch()
    recipe = Recipe(data={"name": str(folder / "data.npz"), **data})
    known = None
    if facts:
        from keras_mixvit import load

        found = {"classes": list(CLASSES), "dtype": "uint8", "fingerprint": "0"}
        if val:
            sets = {"val": load(str(folder / "data.npz"), "val")}
            found["validation"] = fingerprint(sets)
        known = {"backend": "jax", "versions": {}, "replicas": 1, "data": found}
    RunSettings(recipe, facts=known).write(folder)
    return images, labels


def softmax(logits):
    """In float64."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def subnetwork_logits(model, images):
    """Logits `(n, M, K)` of a linear model, in plain NumPy."""
    kernel, bias = (np.asarray(w, "float64") for w in model.heads.get_weights())
    flat = images.reshape(len(images), -1).astype("float64")
    return (flat @ kernel + bias).reshape(len(images), -1, model.num_classes)


def mode_files(folder):
    """Files of every colour mode and depth, with the upright pixels in RGB.

    Returns:
        Dict from names to uint8 arrays `(h, w, 3)`.
    """
    folder.mkdir(exist_ok=True)
    grey = RNG.integers(0, 256, (8, 6), "uint8")
    colour = RNG.integers(0, 256, (8, 6, 3), "uint8")
    expected = {}

    def add(name, image, pixels, **options):
        image.save(folder / name, **options)
        expected[name] = np.asarray(pixels, "uint8")

    tripled = np.repeat(grey[..., None], 3, axis=2)
    add("l.png", Image.fromarray(grey), tripled)
    alpha = RNG.integers(0, 2, (8, 6), "uint8") * 255
    opaque = alpha[..., None] == 255
    la = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    add("la.png", la, np.where(opaque, tripled, 255))
    rgba = Image.fromarray(np.dstack([colour, alpha]))
    add("rgba.png", rgba, np.where(opaque, colour, 255))
    palette = RNG.integers(0, 256, (4, 3), "uint8")
    indices = RNG.integers(0, 4, (8, 6), "uint8")
    p = Image.fromarray(indices, "P")
    p.putpalette(palette.tobytes())
    add("p.png", p, palette[indices])
    # Pillow's CMYK to RGB, (255 - C)(255 - K) / 255, is exact where K is 0.
    cmyk = np.dstack([255 - colour, np.zeros((8, 6), "uint8")])
    add("cmyk.tiff", Image.fromarray(cmyk, "CMYK"), colour)
    deep = RNG.integers(0, 65536, (8, 6), "uint16")
    rounded = np.round(deep / 257).astype("uint8")
    add("deep.png", Image.fromarray(deep), np.repeat(rounded[..., None], 3, axis=2))
    bits = RNG.integers(0, 2, (8, 6)).astype(bool)
    add("bits.png", Image.fromarray(bits), np.repeat(bits[..., None] * 255, 3, axis=2))
    # Stored on its side: orientation 6 says that it is turned to the right.
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = Image.fromarray(np.ascontiguousarray(np.rot90(colour)))
    add("turned.png", sideways, colour, exif=exif)
    return expected


def png_bytes(pixels):
    """A PNG file of pixels."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def energy(logits):
    """The energy of logits."""
    return -np.log(np.exp(logits).sum(axis=-1))


def entropy(shares):
    """The entropy of probabilities, in nats."""
    return -(shares * np.log(shares)).sum(axis=-1)


def column(found, name):
    """A field of all predictions, as an array."""
    return np.array([getattr(each, name) for each in found])
