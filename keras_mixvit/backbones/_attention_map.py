from typing import Any

import keras


class AttentionMap(keras.layers.Layer):
    """A layer that returns the attention weights of a block, for use in a graph.

    It is a layer so that Keras casts the block's variables as in the block itself.

    Args:
        block: Block with a method `attention_map`.
    """

    def __init__(self, block: keras.layers.Layer):
        super().__init__(name=f"{block.name}_attention_map", dtype=block.dtype_policy)
        self.block = block

    def call(self, *inputs: Any) -> Any:
        return self.block.attention_map(*inputs)


def record_attention(
    maps: dict | None, block: keras.layers.Layer, *inputs: Any
) -> None:
    """Puts the attention weights of a block into `maps`, unless it is `None`."""
    if maps is not None:
        maps[block.name] = AttentionMap(block)(*inputs)
