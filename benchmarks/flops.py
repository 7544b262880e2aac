"""Operations at inference, counted by XLA, against the usual single network.

    KERAS_BACKEND=jax python benchmarks/flops.py

The usual network forms keys and values of every token in class attention;
ours absorbs them. Model: the MixViT paper's ConViT (384 wide, 5 GPSA and 2
class-attention blocks) on 32 x 32 images, 100 classes, batch 8. The paper
states 1.1 for two subnetworks (Table 7).
"""

import sys
from pathlib import Path
from unittest import mock

import jax
import numpy as np
from keras import ops

import keras_mixvit as kv

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.plain_class_attention import PlainClassAttention

CONFIGURATIONS = [
    ("source embedding", "embedding", 2),
    ("source embedding", "embedding", 8),
    ("source encoding", "encoding", 2),
    ("source encoding", "encoding", 8),
]


def operations(network, batch_size: int = 8) -> float:
    """Operations of one forward pass that XLA counts in the compiled graph."""
    images = np.zeros((batch_size, *network.input_shape[1:]), "float32")
    trained = [v.value for v in network.trainable_variables]
    others = [v.value for v in network.non_trainable_variables]

    def forward(trained, images):
        return network.stateless_call(trained, others, images, training=False)[0]

    compiled = jax.jit(forward).lower(trained, ops.convert_to_tensor(images)).compile()
    return compiled.cost_analysis()["flops"]


def table() -> list[tuple[str, float]]:
    """Rows of (network, operations relative to the plain single network)."""
    place = "keras_mixvit.backbones.vision_transformer.ClassAttention"
    with mock.patch(place, PlainClassAttention):
        plain = kv.SingleNetwork(kv.ConViT(), 100)
    reference = operations(plain.inference_network)
    rows = [("single, plain class attention", 1.0)]
    single = kv.SingleNetwork(kv.ConViT(), 100)
    rows.append(("single", operations(single.inference_network) / reference))
    for name, attribution, members in CONFIGURATIONS:
        model = kv.MixViT(kv.ConViT(), 100, members, source_attribution=attribution)
        ratio = operations(model.inference_network) / reference
        rows.append((f"MixViT, {name}, M = {members}", ratio))
    return rows


if __name__ == "__main__":
    for name, ratio in table():
        print(f"{name:38s} {ratio:6.3f}")
