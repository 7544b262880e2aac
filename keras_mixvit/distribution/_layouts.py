import keras

# A product that widens is split along its outputs, and the next one along its inputs,
# so both together need one exchange.
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
    """The layouts of CaiT, ConViT and ViT on a mesh with an axis `"model"`.

    Kernels of attention and MLPs are split. Norms, tokens, positions, patch embedding
    and heads are complete on every device.

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
