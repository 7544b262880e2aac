"""What a compiled model writes into its file."""


def on_any_backend(config):
    """A config whose optimizers are not those of one backend.

    On PyTorch, Keras names the module of an optimizer of its own, which no
    other backend can use; the public name serves all.
    """
    if isinstance(config, (list, tuple)):
        return [on_any_backend(value) for value in config]
    if not isinstance(config, dict):
        return config
    config = {key: on_any_backend(value) for key, value in config.items()}
    if str(config.get("module")).startswith("keras.src.backend."):
        config.update(module="keras.optimizers", registered_name=None)
    return config
