"""Recipes that no paper has: small ones on the embedded digits."""

from keras_mixvit.recipes._recipe import Recipe

RESIDUAL_METHODS = (
    "single",
    "cutmix",
    "mixup",
    "manifold-mixup",
    "mimo",
    "linear-mixmo",
    "cut-mixmo",
)


def own_recipes() -> list[Recipe]:
    """MixViT on a small ConViT, the other methods on a small WideResNet."""
    transformers = [
        Recipe(name="digits-mixvit"),
        Recipe(name="digits-convit", method="single"),
    ]
    residual = [
        Recipe(name=f"digits-{method}", method=method, backbone="wideresnet")
        for method in RESIDUAL_METHODS
    ]
    return transformers + residual
