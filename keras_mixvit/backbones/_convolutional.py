import keras

from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._normalization import normalized, plain


class ConvolutionalBackbone(Backbone):
    """What the residual networks share: groups of blocks, average pooling.

    A subclass names and documents every argument, which all become attributes
    and the config, and gives `_make_parts`, which fills `self._parts.groups`,
    lists of blocks, and `_stem_convolution`. Convolutional networks have no
    attention, so that they add nothing to `maps`.
    """

    def __init__(self, image_shape, patch_size, l2, name, dtype, **arguments):
        super().__init__(image_shape, patch_size, l2, name=name, dtype=dtype)
        for argument in ("mean", "std"):
            arguments[argument] = plain(arguments[argument])
        self._argument_names = tuple(arguments)
        for argument, value in arguments.items():
            setattr(self, argument, value)
        self._layer_options = {"l2": l2, "dtype": self.dtype_policy}
        self._block_options = {**self._layer_options, "recompute": self.recompute}
        self._make_parts()
        self._connect()

    def make_stem(self, name="stem"):
        images = keras.Input(self.image_shape, name="images")
        # Variables of one model need paths of their own: PyTorch's trainer
        # forgets all but one of those that share a path.
        grid = self._stem_convolution(
            normalized(images, self.mean, self.std), name.replace("stem", "convolution")
        )
        return keras.Model(images, grid, name=name)

    def apply_blocks(self, grid, maps=None, between=None):
        for i, group in enumerate(self._parts.groups):
            for block in group:
                grid = block(grid)
            if between is not None:
                grid = between(i, grid)
        return grid

    def apply_trunk(self, grid, maps=None):
        pool = keras.layers.GlobalAveragePooling2D(
            data_format="channels_last", name="pool", dtype=self.dtype_policy
        )
        return pool(grid)

    def head_initializer(self):
        return keras.initializers.HeNormal()

    def get_config(self):
        config = super().get_config()
        del config["patch_size"]
        arguments = {name: getattr(self, name) for name in self._argument_names}
        return {**config, "l2": self.l2, **arguments}
