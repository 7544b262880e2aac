import keras

# A product that widens is cut by its outputs and the next one by its inputs,
# so that the two together need one exchange.
WIDENING = {
    r".*/(qkv|query_key|value|expand)/kernel": (None, "model"),
    r".*/(qkv|query_key|value|expand)/bias": ("model",),
    r".*/(query|key|value)_kernel": (None, "model"),
    r".*/(query|key|value)_bias": ("model",),
}
NARROWING = {
    r".*/(projection|project)/kernel": ("model", None),
    r".*/projection_kernel": ("model", None),
}


def transformer_layouts(
    mesh: keras.distribution.DeviceMesh,
) -> keras.distribution.LayoutMap:
    """How CaiT, ConViT and ViT lie on a mesh with an axis `"model"`.

    Kernels of attention and MLPs are cut; norms, tokens, positions, the
    embedding of patches and the heads are whole on every device.

    Args:
        mesh: `keras.distribution.DeviceMesh` with the axes `"batch"` and
            `"model"`.

    Returns:
        A `keras.distribution.LayoutMap` for `keras.distribution.ModelParallel`.

    Raises:
        ValueError: If the mesh has no axis `"model"`.

    Example:

    ```python
    if keras.config.backend() == "jax":
        device = keras.distribution.list_devices()[:1]
        mesh = keras.distribution.DeviceMesh((1, 1), ("batch", "model"), device)
        assert len(transformer_layouts(mesh)) == 6
    ```

    References:
        Shoeybi et al., Megatron-LM, 2019, Section 3.
    """
    layouts = keras.distribution.LayoutMap(mesh)
    for paths, axes in (WIDENING | NARROWING).items():
        layouts[paths] = axes
    return layouts
